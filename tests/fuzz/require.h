// What has to hold whatever the input is.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace virtgpu::fuzz {

inline void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

}  // namespace virtgpu::fuzz
