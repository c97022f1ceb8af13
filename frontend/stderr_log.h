#pragma once

#include "wire/log.h"

namespace virtgpu::frontend {

// Writes to standard error: warnings and errors always, the rest where the user asked for it
// (GGML_VIRTGPU_DEBUG set and not "0"). One line and one write per message, from any thread.
class StderrLog : public wire::Log {
 public:
    explicit StderrLog(bool verbose) : verbose_(verbose) {}

    bool enabled(wire::LogLevel level) const override;
    void write(wire::LogLevel level, std::string_view message) override;

 private:
    bool verbose_;
};

}  // namespace virtgpu::frontend
