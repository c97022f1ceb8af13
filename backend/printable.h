#pragma once

#include <string>
#include <string_view>

namespace virtgpu::backend {

// A guest's text for the log, where its control characters could forge lines or drive a terminal.
// Not longer than `longest`.
inline std::string printable(std::string_view text, size_t longest = 128) {
    std::string result(text.substr(0, longest));
    for (char& character : result)
        if (character < ' ' || character > '~')
            character = '?';
    return result;
}

}  // namespace virtgpu::backend
