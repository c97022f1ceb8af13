#include "wire/sys/stderr_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace virtgpu::wire {

namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
    switch (level) {
        case LogLevel::kDebug:
            return spdlog::level::debug;
        case LogLevel::kInfo:
            return spdlog::level::info;
        case LogLevel::kWarning:
            return spdlog::level::warn;
        case LogLevel::kError:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

class SpdlogLog : public Log {
 public:
    SpdlogLog(const std::string& level, const std::string& pattern)
        : logger_("stderr", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
        logger_.set_level(spdlog::level::from_str(level));
        logger_.set_pattern(pattern);
        logger_.flush_on(spdlog::level::debug);
    }

    bool enabled(LogLevel level) const override { return logger_.should_log(spdlog_level(level)); }
    void write(LogLevel level, std::string_view message) override {
        logger_.log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));
    }

 private:
    spdlog::logger logger_;
};

}  // namespace

std::unique_ptr<Log> make_stderr_log(const std::string& level, const std::string& pattern) {
    return std::make_unique<SpdlogLog>(level, pattern);
}

}  // namespace virtgpu::wire
