#pragma once

#include <mutex>
#include <string>

#include "wire/log.h"

namespace virtgpu::backend {

class RecordingLog : public wire::Log {
 public:
    bool enabled(wire::LogLevel) const override { return true; }
    void write(wire::LogLevel, std::string_view message) override {
        const std::lock_guard lock(mutex_);
        text_ += message;
        text_ += '\n';
    }
    std::string text() const {
        const std::lock_guard lock(mutex_);
        return text_;
    }

 private:
    mutable std::mutex mutex_;
    std::string text_;
};

}  // namespace virtgpu::backend
