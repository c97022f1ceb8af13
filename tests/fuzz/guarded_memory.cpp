#include "tests/fuzz/guarded_memory.h"

#include <sys/mman.h>

#include "tests/fuzz/require.h"

namespace virtgpu::fuzz {

namespace {

constexpr size_t kPage = 4096;

size_t rounded_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

}  // namespace

GuardedMemory::GuardedMemory(size_t largest)
    : largest_(rounded_up(largest, kPage)),
      base_(static_cast<std::byte*>(
          ::mmap(nullptr, largest_ + kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    require(base_ != MAP_FAILED, "there is memory");
}

GuardedMemory::~GuardedMemory() {
    ::munmap(base_, largest_ + kPage);
}

std::byte* GuardedMemory::resize(size_t size) {
    const size_t pages = rounded_up(size, kPage);
    ::mprotect(base_, largest_ - pages, PROT_NONE);
    ::mprotect(base_ + largest_ - pages, pages, PROT_READ | PROT_WRITE);
    return base_ + largest_ - rounded_up(size, 8);
}

}  // namespace virtgpu::fuzz
