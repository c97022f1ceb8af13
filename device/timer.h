// A descriptor that becomes readable after a time.
#pragma once

#include <chrono>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::device {

class Timer {
 public:
    static wire::Result<Timer> create();

    int number() const { return file_.number(); }
    // Replaces what was set before. Zero disarms it.
    void set(std::chrono::milliseconds delay) const;
    // True when the time has come since the last call.
    bool take() const;

 private:
    explicit Timer(wire::FileDescriptor file) : file_(std::move(file)) {}

    wire::FileDescriptor file_;
};

}  // namespace virtgpu::device
