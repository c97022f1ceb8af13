#pragma once

#include <string>
#include <string_view>

namespace virtgpu::backend {

// A guest's text for the log, where its control characters could forge lines or drive a terminal.
inline std::string printable(std::string_view text) {
    constexpr size_t kLongest = 128;
    std::string result(text.substr(0, kLongest));
    for (char& character : result)
        if (character < ' ' || character > '~')
            character = '?';
    return result;
}

}  // namespace virtgpu::backend
