#include "frontend/stderr_log.h"

#include <unistd.h>

#include <algorithm>
#include <string>

namespace virtgpu::frontend {

using wire::LogLevel;

namespace {

std::string_view prefix(LogLevel level) {
    switch (level) {
        case LogLevel::kError:
            return "ggml-virtgpu: error: ";
        case LogLevel::kWarning:
            return "ggml-virtgpu: warning: ";
        case LogLevel::kInfo:
        case LogLevel::kDebug:
            break;
    }
    return "ggml-virtgpu: ";
}

}  // namespace

bool StderrLog::enabled(LogLevel level) const {
    return verbose_ || level >= LogLevel::kWarning;
}

void StderrLog::write(LogLevel level, std::string_view message) {
    std::string line(prefix(level));
    line += message;
    // Messages quote the host, which may send anything: they stay one line.
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c >= 0 && c < ' '; }, ' ');
    line += '\n';
    // Not stdio: the application may have redirected or closed it, and may be multi-threaded.
    const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
    static_cast<void>(ignored);
}

}  // namespace virtgpu::frontend
