#pragma once

#include <exception>

namespace virtgpu::frontend {

// For what must not fail: no exception may leave a destructor or reach C code, and the standard
// library throws when memory is short. The host frees everything with the context in any case.
template <typename Function>
void quietly(Function function) noexcept {
    try {
        function();
    } catch (const std::exception& /*nobody is there to be told*/) {
        return;
    }
}

}  // namespace virtgpu::frontend
