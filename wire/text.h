// Formatted text. Only text.cpp compiles the fmt library, which is 4 s of 6 s per file otherwise,
// and has it inside: the frontend is loaded into programs that may bring another version of it.
#pragma once

#if __has_include(<fmt/base.h>)
#include <fmt/base.h>
#else
#include <fmt/core.h>
#endif

#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace virtgpu::wire {

std::string format_arguments(fmt::string_view format, fmt::format_args arguments);

// As std::format, checked when compiled.
template <typename... Args>
std::string format(fmt::format_string<Args...> format, Args&&... args) {
    return format_arguments(format, fmt::make_format_args(args...));
}

// To a stream of the C library; what cannot be written is lost.
void print_text(std::FILE* stream, const std::string& text);
template <typename... Args>
void print(std::FILE* stream, fmt::format_string<Args...> format, Args&&... args) {
    print_text(stream, format_arguments(format, fmt::make_format_args(args...)));
}

// "a, b, c"
std::string join(const std::vector<std::string>& words, std::string_view separator = ", ");

}  // namespace virtgpu::wire
