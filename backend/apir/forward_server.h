// Carries out upstream's level 1 commands of one context. Without a thread of its own.
#pragma once

#include <memory>
#include <mutex>

#include "backend/apir/forward_commands.h"
#include "backend/apir/forward_service.h"

namespace virtgpu::backend {

// By this library's sessions. Thread safe: one command at a time.
class ForwardServer : public ForwardService {
 public:
    ForwardServer(std::shared_ptr<Session> session, int threads)
        : session_(std::move(session)), threads_(threads), complaints_(*session_) {}

    // Starts the device, which the first command would do otherwise.
    Result<void> start();
    uint32_t serve(const ForwardRequest& request, wire::Writer& reply) override;
    void stop() override;

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
