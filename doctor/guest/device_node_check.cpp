#include "doctor/guest/device_node_check.h"

#include <sys/stat.h>
#include <unistd.h>

#include "doctor/guest/driver_check.h"
#include "wire/sys/accounts.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "device node";

}  // namespace

Findings DeviceNodeCheck::examine() {
    Findings findings;
    for (const std::string& device : virtio_gpus(root_)) {
        if (root_.link_name(device + "/driver") != kDriver)
            continue;
        // The node belongs to the virtio device, or to the PCI device that carries it.
        for (const char* owner : {"/drm", "/../drm"})
            for (const std::string& entry : root_.entries(device + owner, "renderD"))
                findings.push_back(about("/dev/dri" + entry.substr(entry.rfind('/'))));
    }
    return findings;
}

Finding DeviceNodeCheck::about(const std::string& node) const {
    struct stat status {};
    if (::stat(root_.real(node).c_str(), &status) != 0)
        return problem(
            kSubject, wire::format("there is no {}", node),
            wire::format("a container needs `--device {}`; elsewhere udev makes it", node));
    if (root_.may(node, R_OK | W_OK))
        return ok(kSubject, wire::format("{} can be opened", node));
    const std::string user = wire::user_name(::geteuid());
    const std::string group = wire::group_name(status.st_gid);
    constexpr mode_t kGroupMay = S_IRGRP | S_IWGRP;
    const bool group_helps = (status.st_mode & kGroupMay) == kGroupMay && status.st_gid != 0;
    return problem(kSubject, wire::format("user {} may not open {}", user, node),
                   group_helps ? wire::format("usermod -aG {} {}, then log in again", group, user)
                               : wire::format("chgrp render {} && chmod 660 {}", node, node));
}

}  // namespace virtgpu::doctor
