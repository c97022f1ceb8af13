#include "doctor/host/gpu_nodes_check.h"

#include <unistd.h>

#include <system_error>

#include "wire/text.h"

namespace virtgpu::doctor {

Findings GpuNodesCheck::examine() {
    std::vector<std::string> nodes = root_.entries("/dev/dri", "renderD");
    std::error_code error;
    for (const auto& [folder, prefix] : {std::pair("/dev", "kfd"), std::pair("/dev", "nvidia")})
        for (const std::string& node : root_.entries(folder, prefix))
            if (!std::filesystem::is_directory(root_.real(node), error))
                nodes.push_back(node);
    Findings findings;
    for (const std::string& node : nodes)
        if (root_.may(node, R_OK | W_OK))
            findings.push_back(ok("GPU", wire::format("{} can be used", node)));
        else
            findings.push_back(warning(
                "GPU", wire::format("this user may not use {}: its GPU is not offered", node),
                "usermod -aG render,video USER, then log in again; the systemd service is in "
                "both groups"));
    return findings;
}

}  // namespace virtgpu::doctor
