// new[] for the whole runner, ggml's work memory included: it ends, to fifteen bytes, where a page
// begins that nobody may touch.
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kAlignment = 16;

// In a page of its own, before what was asked for.
struct Header {
    size_t mapped;
};

size_t rounded_up(size_t size, size_t unit) {
    return (size + unit - 1) / unit * unit;
}

void* allocate(size_t size) {
    if (size > SIZE_MAX / 2)
        throw std::bad_alloc();
    const size_t used = rounded_up(std::max<size_t>(size, 1), kAlignment);
    const size_t pages = rounded_up(used, kPage);
    const size_t mapped = pages + 2 * kPage;
    void* const start = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (start == MAP_FAILED)
        throw std::bad_alloc();
    new (start) Header{mapped};
    auto* const end = static_cast<std::byte*>(start) + kPage + pages;
    ::mprotect(end, kPage, PROT_NONE);
    return end - used;
}

void release(void* memory) {
    if (memory == nullptr)
        return;
    // It begins in the first page after the header's.
    const size_t into = reinterpret_cast<uintptr_t>(memory) % kPage;
    auto* const start = static_cast<std::byte*>(memory) - into - kPage;
    ::munmap(start, reinterpret_cast<const Header*>(start)->mapped);
}

}  // namespace

void* operator new[](size_t size) {
    return allocate(size);
}
void operator delete[](void* memory) noexcept {
    release(memory);
}
void operator delete[](void* memory, size_t /*size*/) noexcept {
    release(memory);
}
