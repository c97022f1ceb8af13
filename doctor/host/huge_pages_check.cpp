#include "doctor/host/huge_pages_check.h"

#include <cstdio>
#include <utility>

#include "wire/text.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "huge pages";
constexpr const char* kSetting = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
// The first that makes huge pages when a program asks for them, whatever the setting says
// (MADV_COLLAPSE), short of "deny".
constexpr std::pair kFirstThatCollapses{6, 1};

// "never" of "always within_size advise [never] deny force".
std::string chosen(const std::string& setting) {
    const size_t start = setting.find('[');
    const size_t end = setting.find(']');
    if (start == std::string::npos || end == std::string::npos || end < start)
        return {};
    return setting.substr(start + 1, end - start - 1);
}

std::pair<int, int> kernel_version(const std::string& release) {
    std::pair version{0, 0};
    static_cast<void>(std::sscanf(release.c_str(), "%d.%d", &version.first, &version.second));
    return version;
}

}  // namespace

Findings HugePagesCheck::examine() {
    const auto setting = root_.text(kSetting);
    if (!setting)
        return {
            warning(kSubject, "this kernel has none for shared memory",
                    "use a kernel with CONFIG_TRANSPARENT_HUGEPAGE: products with large weights "
                    "take about a fifth longer in small pages")};
    const std::string now = chosen(*setting);
    const auto kernel = kernel_version(root_.text("/proc/sys/kernel/osrelease").value_or(""));
    const bool never = now == "never" && kernel < kFirstThatCollapses;
    if (now == "deny" || never)
        return {warning(kSubject,
                        wire::format("{} says {}: shared memory has small pages", kSetting, now),
                        wire::format("echo advise > {}", kSetting))};
    return {ok(kSubject, wire::format("shared memory gets them ({})", now))};
}

}  // namespace virtgpu::doctor
