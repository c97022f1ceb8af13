#include "backend/library_folder.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>
#include <string_view>

namespace virtgpu::backend {

namespace {

constexpr std::string_view kPrefix = "libggml-";
constexpr std::string_view kSuffix = ".so";

// "cpu" of libggml-cpu-haswell.so and libggml-cpu.so; empty for other files.
std::string backend_name(std::string_view file) {
    if (file.size() <= kPrefix.size() + kSuffix.size() || !file.starts_with(kPrefix) ||
        !file.ends_with(kSuffix))
        return {};
    file.remove_prefix(kPrefix.size());
    file.remove_suffix(kSuffix.size());
    const std::string name(file.substr(0, file.find('-')));
    // libggml-virtgpu.so is the guest's side, libggml-virtgpu-backend.so this library itself.
    return name == "base" || name == "virtgpu" ? std::string() : name;
}

// What the library says of itself: 0 when it cannot run here. A library without an opinion is fine.
int score_of(const std::string& path) {
    const auto close = [](void* library) { ::dlclose(library); };
    const std::unique_ptr<void, decltype(close)> library(
        ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), close);
    if (!library)
        return 0;
    void* const symbol = ::dlsym(library.get(), "ggml_backend_score");
    return symbol == nullptr ? 1 : reinterpret_cast<int (*)()>(symbol)();
}

}  // namespace

Result<LibraryFolder> LibraryFolder::open(const std::string& path) {
    std::error_code error;
    LibraryFolder folder;
    folder.path_ = path;
    std::set<std::string> names;
    for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
         entry.increment(error)) {
        const std::string file = entry->path().filename().string();
        const std::string name = backend_name(file);
        if (name.empty())
            continue;
        folder.files_.push_back(file);
        names.insert(name);
    }
    if (error)
        return wire::fail(Fault::kRefused,
                          "cannot read the folder of ggml's backends '{}': {}. Install ggml "
                          "(libggml0), or name its folder with GGML_VIRTGPU_BACKEND_DIR",
                          path, error.message());
    std::sort(folder.files_.begin(), folder.files_.end());
    folder.names_.assign(names.begin(), names.end());
    std::stable_partition(folder.names_.begin(), folder.names_.end(),
                          [](const std::string& name) { return name != "cpu"; });
    return folder;
}

Result<std::string> LibraryFolder::best_file(const std::string& name) const {
    std::string best;
    int best_score = 0;
    bool found = false;
    for (const std::string& file : files_) {
        if (backend_name(file) != name)
            continue;
        found = true;
        const std::string path = path_ + "/" + file;
        const int score = score_of(path);
        if (score > best_score) {
            best = path;
            best_score = score;
        }
    }
    if (!found)
        return wire::fail(Fault::kRefused,
                          "no ggml backend is called '{}'. '{}' has: {}. Install it (on Debian the "
                          "package libggml0-backend-{}), or give the path of its library",
                          name, path_, wire::join(names_), name);
    if (best.empty())
        return wire::fail(Fault::kRefused,
                          "the ggml backend '{}' in '{}' does not run on this machine: its "
                          "libraries do not load or refuse this processor (ldd shows which are "
                          "missing)",
                          name, path_);
    return best;
}

}  // namespace virtgpu::backend
