// Carries out upstream's level 1 commands of one context. Without a thread of its own.
#pragma once

#include <memory>
#include <mutex>

#include "backend/apir/forward_commands.h"

namespace virtgpu::backend {

struct ForwardRequest {
    uint32_t command = 0;
    std::span<const std::byte> arguments;
    uint64_t room = UINT64_MAX;  // bytes of regions that the guest may still make
};

// Thread safe: one command at a time. Lets no exception out.
class ForwardServer {
 public:
    ForwardServer(std::shared_ptr<Session> session, int threads)
        : session_(std::move(session)), threads_(threads), complaints_(*session_) {}

    // Starts the device, which the first command would do otherwise.
    Result<void> start();
    // The return code of FORWARD. `reply` is cleared and gets the payload.
    uint32_t serve(const ForwardRequest& request, wire::Writer& reply);
    // What is being computed is broken off.
    void stop();

 private:
    Result<ForwardCommands*> commands();
    Result<void> carry_out(const ForwardRequest& request, wire::Writer& reply);

    const std::shared_ptr<Session> session_;
    const int threads_;
    std::mutex serving_;
    Complaints complaints_;
    std::mutex mutex_;  // of what follows
    std::unique_ptr<ForwardCommands> commands_;
    bool stopped_ = false;
};

}  // namespace virtgpu::backend
