// A file that ggml takes for a backend, and that hangs (HANGS) or dies (DIES) while it is loaded.
#include <unistd.h>

#include <cstdlib>

namespace {

__attribute__((constructor)) void be_loaded() {
#ifdef DIES
    std::abort();
#else
    while (true)
        ::pause();
#endif
}

}  // namespace
