// Large pages for large buffers.
#pragma once

#include <cstddef>

namespace virtgpu::backend {

// Asks for the largest pages that the system gives for this memory of ours; best before it is used.
// A wish: nothing happens where there are none. A matrix product over 110 MB in 4 KiB pages took a
// fifth longer than over the large pages in which Linux keeps mapped files, such as native weights.
void ask_for_huge_pages(void* base, size_t size);

}  // namespace virtgpu::backend
