#include "doctor/system_root.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>

namespace virtgpu::doctor {

bool SystemRoot::exists(const std::string& path) const {
    std::error_code error;
    return std::filesystem::exists(real(path), error);
}

std::optional<std::string> SystemRoot::text(const std::string& path) const {
    std::ifstream file(real(path));
    if (!file)
        return std::nullopt;
    std::ostringstream content;
    content << file.rdbuf();
    std::string text = content.str();
    text.erase(text.find_last_not_of(" \n\t") + 1);
    return text;
}

bool SystemRoot::may(const std::string& path, int rights) const {
    return ::access(real(path).c_str(), rights) == 0;
}

std::vector<std::string> SystemRoot::entries(const std::string& folder,
                                             const std::string& prefix) const {
    std::vector<std::string> found;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(real(folder), error), end;
         !error && entry != end; entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        if (name.starts_with(prefix))
            found.push_back(folder + "/" + name);
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::string SystemRoot::link_name(const std::string& path) const {
    std::error_code error;
    return std::filesystem::read_symlink(real(path), error).filename().string();
}

}  // namespace virtgpu::doctor
