// The file system that is examined: the machine's, or a folder that stands for it in a test.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace virtgpu::doctor {

class SystemRoot {
 public:
    explicit SystemRoot(std::filesystem::path root = "/") : root_(std::move(root)) {}

    // All take absolute paths of the examined system.
    std::filesystem::path real(const std::string& path) const { return root_ / path.substr(1); }
    bool exists(const std::string& path) const;
    // Without the white space at its end; nothing where it cannot be read.
    std::optional<std::string> text(const std::string& path) const;
    // Whether this process may (access(2): R_OK, W_OK, X_OK).
    bool may(const std::string& path, int rights) const;
    // Paths of the entries of a folder whose names start with `prefix`, sorted.
    std::vector<std::string> entries(const std::string& folder, const std::string& prefix) const;
    // The last part of what a link leads to; empty where there is none.
    std::string link_name(const std::string& path) const;

 private:
    std::filesystem::path root_;
};

}  // namespace virtgpu::doctor
