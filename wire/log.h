// Where messages for people go. Implementations are made in main() or ggml_backend_init() and
// handed down by reference; they may be called from any thread.
#pragma once

#include <string_view>
#include <utility>

#include "wire/text.h"

namespace virtgpu::wire {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

class Log {
 public:
    virtual ~Log() = default;

    virtual bool enabled(LogLevel level) const = 0;
    virtual void write(LogLevel level, std::string_view message) = 0;

    template <typename... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) {
        print(LogLevel::kDebug, format, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) {
        print(LogLevel::kInfo, format, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void warning(fmt::format_string<Args...> format, Args&&... args) {
        print(LogLevel::kWarning, format, std::forward<Args>(args)...);
    }
    template <typename... Args>
    void error(fmt::format_string<Args...> format, Args&&... args) {
        print(LogLevel::kError, format, std::forward<Args>(args)...);
    }

 private:
    template <typename... Args>
    void print(LogLevel level, fmt::format_string<Args...> format, Args&&... args) {
        if (enabled(level))
            write(level, wire::format(format, std::forward<Args>(args)...));
    }
};

}  // namespace virtgpu::wire
