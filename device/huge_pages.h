// Large pages for large regions.
#pragma once

#include <cstdint>

namespace virtgpu::device {

// Puts the largest pages that the system has behind a part of a memfd that has no pages yet. A
// wish: the rest, and all of it where there are none, gets pages when it is allocated. Stops
// after about a tenth of a second. A matrix product over 110 MB in 4 KiB pages took a fifth longer
// than over large ones.
void put_huge_pages_behind(int file, uint64_t offset, uint64_t size);

}  // namespace virtgpu::device
