#include "backend/apir/forward_server.h"

#include <exception>

#include "wire/forward_failure.h"

namespace virtgpu::backend {

namespace {

// What upstream's host returns for a FORWARD id that it does not know, and for others that break
// the protocol.
constexpr uint32_t kUnknown = protocol::kApirForwardSuccess + 6;
constexpr uint32_t kMalformed = protocol::kApirForwardSuccess + 1;

}  // namespace

Result<void> ForwardServer::start() {
    TRY(commands());
    return {};
}

void ForwardServer::stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    if (commands_)
        commands_->stop();
}

Result<ForwardCommands*> ForwardServer::commands() {
    {
        const std::lock_guard lock(mutex_);
        if (commands_)
            return commands_.get();
    }
    auto commands = TRY(ForwardCommands::open(session_, threads_, complaints_));
    const std::lock_guard lock(mutex_);
    commands_ = std::move(commands);
    if (stopped_)
        commands_->stop();
    return commands_.get();
}

Result<void> ForwardServer::carry_out(const ForwardRequest& request, wire::Writer& reply) {
    try {
        ForwardCommands* const commands = TRY(this->commands());
        ++session_->counters().requests;
        const wire::TraceSpan span(session_->trace(), forward_command_name(request.command),
                                   session_->context(), 0, 0);
        commands->set_room(request.room);
        return dispatch_forward(*commands, request.command, request.arguments, reply);
    } catch (const std::exception& error) {
        // Memory, mostly: a large graph of one context must not take the others with it.
        return wire::fail(Fault::kSystem, "{}", error.what());
    }
}

uint32_t ForwardServer::serve(const ForwardRequest& request, wire::Writer& reply) {
    if (!protocol::is_forward_command(request.command))
        return kUnknown;
    const std::lock_guard lock(serving_);
    reply.clear();
    const auto outcome = carry_out(request, reply);
    if (outcome)
        return protocol::kApirForwardSuccess;
    complaints_.add(forward_command_name(request.command), outcome.error());
    reply.clear();
    if (outcome.error().fault() == Fault::kPeer)
        return kMalformed;
    return wire::encode_failure(request.command, reply) ? protocol::kApirForwardSuccess
                                                        : kMalformed;
}

}  // namespace virtgpu::backend
