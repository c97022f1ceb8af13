#include "device/huge_pages.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <span>

#include "wire/sys/mapped_region.h"

namespace virtgpu::device {

namespace {

#ifndef MADV_COLLAPSE
// Linux 6.1. It works whatever /sys/kernel/mm/transparent_hugepage/shmem_enabled says, which is
// "never" on most systems.
constexpr int MADV_COLLAPSE = 25;
#endif

using wire::kHugePage;
constexpr uint64_t kSmallPage = 4096;

// Nothing else is served meanwhile, and pings must be answered within half a second.
constexpr std::chrono::milliseconds kLongest(100);

// In one call: each costs as much as some hundred pages.
constexpr uint64_t kPagesAtOnce = 8;

// Only a place where there is a page already becomes a huge one: its first is put there. Then the
// kernel fills the rest with zeroes, at memset's speed; it would copy pages that are there.
bool put_huge_pages(int file, uint64_t offset, std::span<std::byte> memory) {
    for (uint64_t i = 0; i < memory.size(); i += kHugePage)
        if (::fallocate(file, 0, static_cast<off_t>(offset + i), kSmallPage) != 0)
            return false;
    return ::madvise(memory.data(), memory.size(), MADV_COLLAPSE) == 0;
}

}  // namespace

void put_huge_pages_behind(int file, uint64_t offset, uint64_t size) {
    const uint64_t first = (offset + kHugePage - 1) / kHugePage * kHugePage;
    const uint64_t end = (offset + size) / kHugePage * kHugePage;
    if (first >= end)
        return;
    const auto mapped = wire::map_region(file, end - first, static_cast<int64_t>(first));
    if (!mapped)
        return;
    std::span<std::byte> rest((*mapped)->bulk(0, 0)->data(), end - first);
    const auto deadline = std::chrono::steady_clock::now() + kLongest;
    while (!rest.empty() && std::chrono::steady_clock::now() < deadline) {
        const auto part = rest.first(std::min<size_t>(rest.size(), kPagesAtOnce * kHugePage));
        if (!put_huge_pages(file, end - rest.size(), part))
            return;
        rest = rest.subspan(part.size());
    }
}

}  // namespace virtgpu::device
