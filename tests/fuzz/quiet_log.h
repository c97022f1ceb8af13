// A log that formats everything and keeps nothing.
#pragma once

#include "wire/log.h"

namespace virtgpu::fuzz {

class QuietLog : public wire::Log {
 public:
    bool enabled(wire::LogLevel /*level*/) const override { return true; }
    void write(wire::LogLevel /*level*/, std::string_view message) override {
        bytes_ += message.size();
    }

 private:
    size_t bytes_ = 0;
};

}  // namespace virtgpu::fuzz
