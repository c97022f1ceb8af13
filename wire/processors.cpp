#include "wire/processors.h"

#include <algorithm>
#include <fstream>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

namespace virtgpu::wire {

namespace {

// Those that this thread may run on: hardware_concurrency() counts all of the machine in some C
// libraries.
unsigned allowed_processors() {
#if defined(__linux__)
    cpu_set_t allowed;
    // Fails on machines of more than 1,024.
    if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
        return static_cast<unsigned>(CPU_COUNT(&allowed));
#endif
    return std::thread::hardware_concurrency();
}

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
    const unsigned present = std::max(1U, allowed_processors());
    const unsigned quota = processor_quota("/sys/fs/cgroup", own_group());
    return quota == 0 ? present : std::min(present, quota);
}

}  // namespace virtgpu::wire
