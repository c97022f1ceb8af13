#include "backend/sys/huge_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace virtgpu::backend {

void ask_for_huge_pages(void* base, size_t size) {
#ifdef MADV_HUGEPAGE
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    const uintptr_t behind_page = reinterpret_cast<uintptr_t>(base) % page;
    const size_t skipped = behind_page == 0 ? 0 : page - behind_page;
    if (size > skipped)
        static_cast<void>(::madvise(static_cast<std::byte*>(base) + skipped,
                                    (size - skipped) / page * page, MADV_HUGEPAGE));
#else
    static_cast<void>(base);
    static_cast<void>(size);
#endif
}

}  // namespace virtgpu::backend
