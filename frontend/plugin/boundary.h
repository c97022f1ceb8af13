#pragma once

#include <exception>

#include "frontend/device.h"
#include "frontend/quietly.h"
#include "wire/log.h"
#include "wire/result.h"

namespace virtgpu::frontend {

// Runs what ggml called; no exception may reach C code, and the standard library throws when memory
// is short. Then the caller gets `fallback`.
template <typename Function, typename Value>
Value at_boundary(wire::Log& log, Value fallback, Function function) noexcept {
    try {
        return function();
    } catch (const std::exception& exception) {
        // Saying it may take memory that there is not.
        quietly([&] { log.write(wire::LogLevel::kError, exception.what()); });
        return fallback;
    }
}

// For transfers, of which ggml is not told whether they succeeded: any failure but "lost" already
// loses the connection, which the next computation or allocation says.
template <typename Function>
bool transfer_or_lose(HostConnection& connection, Function function) noexcept {
    return at_boundary(connection.log(), false, [&] {
        wire::Result<void> result;
        try {
            result = function();
        } catch (const std::exception& exception) {
            result = connection.health().lose(exception.what());
        }
        if (!result && result.error().fault() != wire::Fault::kLost)
            static_cast<void>(
                connection.health().lose("a transfer failed: " + result.error().message()));
        return result.has_value();
    });
}

// For functions of ggml that return nothing: logs the error of a Result<void>. What makes a
// connection lost has logged itself.
template <typename Function>
bool attempt(wire::Log& log, Function function) noexcept {
    return at_boundary(log, false, [&] {
        const auto result = function();
        if (!result && result.error().fault() != wire::Fault::kLost)
            log.error("{}", result.error().message());
        return static_cast<bool>(result);
    });
}

}  // namespace virtgpu::frontend
