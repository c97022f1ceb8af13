#include "wire/sys/program_log.h"

#include <spdlog/sinks/basic_file_sink.h>
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
    // Throws spdlog_ex.
    explicit SpdlogLog(const LogSettings& settings) : logger_("program") {
        auto terminal = std::make_shared<spdlog::sinks::stderr_sink_mt>();
        terminal->set_level(spdlog::level::from_str(settings.level));
        logger_.set_level(terminal->level());
        logger_.sinks().push_back(std::move(terminal));
        if (!settings.file.empty()) {
            logger_.sinks().push_back(
                std::make_shared<spdlog::sinks::basic_file_sink_mt>(settings.file));
            logger_.set_level(spdlog::level::debug);
        }
        logger_.set_pattern(settings.pattern);
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

Result<std::unique_ptr<Log>> make_program_log(const LogSettings& settings) try {
    return std::make_unique<SpdlogLog>(settings);
} catch (const spdlog::spdlog_ex& error) {
    return fail(Fault::kRefused, "{}; name a log file that can be written", error.what());
}

}  // namespace virtgpu::wire
