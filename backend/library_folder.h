// ggml's backends as files: which there are, and which of them suits this machine best.
#pragma once

#include <string>
#include <vector>

#include "wire/result.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

// A folder with files libggml-NAME.so and libggml-NAME-VARIANT.so, as ggml installs them. Our own
// frontend lies in the same folder and is never among the names: the host would serve itself.
class LibraryFolder {
 public:
    // Fault::kRefused when `path` is no folder.
    static Result<LibraryFolder> open(const std::string& path);

    const std::string& path() const { return path_; }
    // Sorted, the CPU last, as ggml itself prefers other devices to it.
    const std::vector<std::string>& names() const { return names_; }

    // The file of backend `name` that gives itself the highest score on this machine; variants are
    // loaded to ask them. Fault::kRefused, with what to do, when there is none.
    Result<std::string> best_file(const std::string& name) const;

 private:
    std::string path_;
    std::vector<std::string> files_;
    std::vector<std::string> names_;
};

}  // namespace virtgpu::backend
