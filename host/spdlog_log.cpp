#include "host/spdlog_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace virtgpu::host {

namespace {

spdlog::level::level_enum spdlog_level(wire::LogLevel level) {
    switch (level) {
        case wire::LogLevel::kDebug:
            return spdlog::level::debug;
        case wire::LogLevel::kInfo:
            return spdlog::level::info;
        case wire::LogLevel::kWarning:
            return spdlog::level::warn;
        case wire::LogLevel::kError:
            return spdlog::level::err;
    }
    return spdlog::level::err;
}

class SpdlogLog : public wire::Log {
 public:
    explicit SpdlogLog(const std::string& level)
        : logger_("host", std::make_shared<spdlog::sinks::stderr_sink_st>()) {
        logger_.set_level(spdlog::level::from_str(level));
        // Several processes write to one stream: each line says whose it is.
        logger_.set_pattern("%Y-%m-%d %H:%M:%S.%e [%P] %l: %v");
        logger_.flush_on(spdlog::level::debug);
    }

    bool enabled(wire::LogLevel level) const override {
        return logger_.should_log(spdlog_level(level));
    }
    void write(wire::LogLevel level, std::string_view message) override {
        logger_.log(spdlog_level(level), spdlog::string_view_t(message.data(), message.size()));
    }

 private:
    spdlog::logger logger_;
};

}  // namespace

std::unique_ptr<wire::Log> make_log(const std::string& level) {
    return std::make_unique<SpdlogLog>(level);
}

}  // namespace virtgpu::host
