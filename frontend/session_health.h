#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "frontend/owning_process.h"
#include "wire/log.h"
#include "wire/result.h"

namespace virtgpu::frontend {

// Whether a connection still works. Once lost it stays lost: ggml's transfer functions return
// nothing, so a failure has to show up in the next call that can report one. Thread safe.
class SessionHealth {
 public:
    explicit SessionHealth(wire::Log& log) : log_(log) {}

    // Fault::kLost when the session is lost, or this process only has a copy of it.
    wire::Result<void> check();
    // Marks the session lost, logs `reason` if it was not, and returns the error to pass on.
    tl::unexpected<wire::Error> lose(const std::string& reason);
    // This process is a fork of the connection's owner.
    bool is_copy() const { return !owner_.is_this(); }
    bool lost() const { return lost_.load(std::memory_order_acquire); }

 private:
    wire::Log& log_;
    OwningProcess owner_;
    std::atomic<bool> lost_ = false;
};

}  // namespace virtgpu::frontend
