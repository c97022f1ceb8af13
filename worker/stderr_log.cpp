#include "worker/stderr_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace virtgpu::worker {

namespace {

spdlog::level::level_enum level_of(wire::LogLevel level) {
    switch (level) {
        case wire::LogLevel::kDebug:
            return spdlog::level::debug;
        case wire::LogLevel::kInfo:
            return spdlog::level::info;
        case wire::LogLevel::kWarning:
            return spdlog::level::warn;
        case wire::LogLevel::kError:
            break;
    }
    return spdlog::level::err;
}

}  // namespace

StderrLog::StderrLog(wire::LogLevel lowest)
    : lowest_(lowest),
      logger_(std::make_shared<spdlog::logger>("worker",
                                               std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger_->set_level(level_of(lowest));
    logger_->set_pattern("%Y-%m-%d %H:%M:%S.%e %l worker: %v");
    logger_->flush_on(spdlog::level::debug);
}

void StderrLog::write(wire::LogLevel level, std::string_view message) {
    logger_->log(level_of(level), spdlog::string_view_t(message.data(), message.size()));
}

}  // namespace virtgpu::worker
