#include "host/file_mode.h"

#include <charconv>

namespace virtgpu::host {

using wire::Fault;

wire::Result<mode_t> parse_file_mode(const std::string& text) {
    constexpr int kOctal = 8;
    constexpr mode_t kAllBits = 0777;
    mode_t mode = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, mode, kOctal);
    if (parsed.ec != std::errc() || parsed.ptr != end || mode > kAllBits)
        return fail(Fault::kRefused, "'{}' is no file mode; try 0660", text);
    return mode;
}

}  // namespace virtgpu::host
