#define FMT_HEADER_ONLY
#include "wire/text.h"

#include <fmt/format.h>

namespace virtgpu::wire {

std::string format_arguments(fmt::string_view format, fmt::format_args arguments) {
    return fmt::vformat(format, arguments);
}

void print_text(std::FILE* stream, const std::string& text) {
    static_cast<void>(std::fwrite(text.data(), 1, text.size(), stream));
}

std::string join(const std::vector<std::string>& words, std::string_view separator) {
    std::string joined;
    for (const std::string& word : words) {
        if (!joined.empty())
            joined += separator;
        joined += word;
    }
    return joined;
}

}  // namespace virtgpu::wire
