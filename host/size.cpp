#include "host/size.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>

namespace virtgpu::host {

using wire::Fault;
using wire::Result;

namespace {

constexpr uint64_t kMebibyte = uint64_t{1} << 20;
constexpr uint64_t kGibibyte = uint64_t{1} << 30;
constexpr uint64_t kTebibyte = uint64_t{1} << 40;

Result<unsigned> shift_of(const std::string& unit) {
    constexpr unsigned kStep = 10;
    const std::string units = "KMGT";
    if (unit.empty())
        return 0U;
    const auto place = units.find(unit);
    if (unit.size() != 1 || place == std::string::npos)
        return fail(Fault::kRefused, "'{}' is no unit of size; try K, M, G or T", unit);
    return kStep * static_cast<unsigned>(place + 1);
}

}  // namespace

Result<uint64_t> parse_size(const std::string& text) {
    uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc())
        return fail(Fault::kRefused, "'{}' is no size; try 16G", text);
    const unsigned shift = TRY(shift_of(std::string(parsed.ptr, end)));
    if (number > std::numeric_limits<uint64_t>::max() >> shift)
        return fail(Fault::kRefused, "'{}' is too large", text);
    return number << shift;
}

uint64_t default_window_size() {
    const auto memory = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                        static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    constexpr uint64_t kLargest = 64 * kGibibyte;
    return std::bit_floor(std::clamp(memory / 2, kMebibyte, kLargest));
}

Result<uint64_t> check_window_size(uint64_t size) {
    const bool is_power = std::has_single_bit(size) && size >= kMebibyte && size <= kTebibyte;
    if (size != 0 && !is_power)
        return fail(Fault::kRefused,
                    "--window must be a power of two from 1M to 1T, or 0 for none");
    return size;
}

}  // namespace virtgpu::host
