#include "backend/sys/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace virtgpu::backend {

void ask_for_huge_pages(void* base, size_t size) {
#ifdef MADV_HUGEPAGE
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const uintptr_t begin = (reinterpret_cast<uintptr_t>(base) + page - 1) / page * page;
    const uintptr_t end = (reinterpret_cast<uintptr_t>(base) + size) / page * page;
    if (begin < end)
        static_cast<void>(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE));
#else
    static_cast<void>(base);
    static_cast<void>(size);
#endif
}

}  // namespace virtgpu::backend
