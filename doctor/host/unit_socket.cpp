#include "doctor/host/unit_socket.h"

#include <string_view>

namespace virtgpu::doctor {

namespace {

constexpr std::string_view kFolder = "/run/ggml-virtgpu/";
constexpr std::string_view kEnd = ".sock";

}  // namespace

std::optional<std::string> unit_of_socket(const std::string& path) {
    if (!path.starts_with(kFolder) || !path.ends_with(kEnd))
        return std::nullopt;
    const size_t length = path.size() - kFolder.size() - kEnd.size();
    return "ggml-virtgpu-" + path.substr(kFolder.size(), length) + ".socket";
}

}  // namespace virtgpu::doctor
