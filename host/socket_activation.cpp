#include "host/socket_activation.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

namespace virtgpu::host {

using wire::Fault;
using wire::Result;

namespace {

constexpr int kFirst = 3;  // SD_LISTEN_FDS_START
constexpr int kMost = 64;

Result<int> number_of(const char* variable, std::string_view text) {
    int number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 0)
        return fail(Fault::kRefused, "{} is '{}', which is no number", variable, text);
    return number;
}

}  // namespace

Result<std::vector<int>> take_activated_sockets() {
    const char* const process = std::getenv("LISTEN_PID");
    const char* const count = std::getenv("LISTEN_FDS");
    if (process == nullptr || count == nullptr ||
        TRY(number_of("LISTEN_PID", process)) != ::getpid())
        return std::vector<int>();
    const int sockets = TRY(number_of("LISTEN_FDS", count));
    if (sockets > kMost)
        return fail(Fault::kRefused, "LISTEN_FDS is {}; at most {} sockets are served", sockets,
                    kMost);
    std::vector<int> numbers;
    for (int number = kFirst; number < kFirst + sockets; ++number) {
        if (::fcntl(number, F_SETFD, FD_CLOEXEC) != 0)
            return wire::system_failure(
                errno, wire::format("LISTEN_FDS is {}; taking descriptor {}", sockets, number));
        numbers.push_back(number);
    }
    for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
        ::unsetenv(variable);
    return numbers;
}

}  // namespace virtgpu::host
