#include "backend/sys/processors.h"

#include <algorithm>
#include <fstream>
#include <thread>

namespace virtgpu::backend {

namespace {

// "max 100000", or two numbers of microseconds: what may be used of each period.
unsigned quota_in(const std::string& path) {
    std::ifstream file(path);
    double quota = 0;
    double period = 0;
    if (!(file >> quota >> period) || quota <= 0 || period <= 0)
        return 0;
    return static_cast<unsigned>(quota / period + 1 - 1e-9);
}

// The line "0::/path".
std::string own_group() {
    std::ifstream file("/proc/self/cgroup");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("0::"))
            return line.substr(3);
    return "/";
}

}  // namespace

unsigned processor_quota(const std::string& root, std::string group) {
    unsigned smallest = 0;
    while (true) {
        const unsigned quota = quota_in(root + group + "/cpu.max");
        if (quota != 0)
            smallest = smallest == 0 ? quota : std::min(smallest, quota);
        const size_t slash = group.rfind('/');
        if (group.empty() || slash == std::string::npos)
            return smallest;
        group.resize(slash);
    }
}

unsigned usable_processors() {
    // hardware_concurrency() counts all of the machine in some C libraries, and those that we may
    // run on in others.
    const unsigned present = std::max(1U, std::thread::hardware_concurrency());
    const unsigned quota = processor_quota("/sys/fs/cgroup", own_group());
    return quota == 0 ? present : std::min(present, quota);
}

}  // namespace virtgpu::backend
