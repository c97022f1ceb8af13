// What to do between two looks at shared memory.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace virtgpu::wire {

inline void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

}  // namespace virtgpu::wire
