// Errors as values: Result<T> and TRY.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

#include "wire/text.h"

namespace virtgpu::wire {

// Whose fault it was, which decides what happens next.
enum class Fault {
    kPeer,     // the other side broke the protocol: its context is closed with a reason
    kRefused,  // a well-formed request that cannot be granted: the caller gets a status
    kLost,     // the connection, the worker or the device is gone: the session stays lost
    kSystem,   // the operating system said no: the message names the call and its reason
};

class [[nodiscard]] Error {
 public:
    Error(Fault fault, std::string message) : fault_(fault), message_(std::move(message)) {}

    Fault fault() const { return fault_; }
    const std::string& message() const { return message_; }

 private:
    Fault fault_;
    std::string message_;
};

template <typename T>
using Result = tl::expected<T, Error>;

template <typename... Args>
tl::unexpected<Error> fail(Fault fault, fmt::format_string<Args...> format, Args&&... args) {
    return tl::unexpected(Error(fault, wire::format(format, std::forward<Args>(args)...)));
}

// The same with the system's reason for `error_number` (an errno value) appended.
tl::unexpected<Error> system_failure(int error_number, std::string_view what);

namespace detail {
template <typename T>
T take(Result<T>&& result) {
    return std::move(*result);
}
inline void take(Result<void>&&) {}
}  // namespace detail

}  // namespace virtgpu::wire

#define VIRTGPU_CONCAT_INNER(a, b) a##b
#define VIRTGPU_CONCAT(a, b) VIRTGPU_CONCAT_INNER(a, b)
#define VIRTGPU_TRY(result, expression)                       \
    __extension__({                                           \
        auto result = (expression);                           \
        if (!result) [[unlikely]]                             \
            return tl::unexpected(std::move(result).error()); \
        ::virtgpu::wire::detail::take(std::move(result));     \
    })

// The value of a Result, or return its error from the enclosing function.
#define TRY(...) VIRTGPU_TRY(VIRTGPU_CONCAT(try_result_, __COUNTER__), (__VA_ARGS__))
