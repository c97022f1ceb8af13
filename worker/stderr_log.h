// The worker's log: lines on standard error, where the device process reads them.
#pragma once

#include <memory>

#include "wire/log.h"

namespace spdlog {
class logger;
}

namespace virtgpu::worker {

class StderrLog : public wire::Log {
 public:
    explicit StderrLog(wire::LogLevel lowest);

    bool enabled(wire::LogLevel level) const override { return level >= lowest_; }
    void write(wire::LogLevel level, std::string_view message) override;

 private:
    wire::LogLevel lowest_;
    std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace virtgpu::worker
