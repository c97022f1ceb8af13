// Level 1: what the device process itself, or the worker's start, answers.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "frontend/reply_page.h"
#include "frontend/transport/transport.h"
#include "wire/generated/codec.h"

namespace virtgpu::frontend {

// Thread safe.
class ApirClient {
 public:
    static wire::Result<std::unique_ptr<ApirClient>> create(Transport& transport);
    ApirClient(Transport& transport, ReplyPage replies, ReplyPage pings)
        : transport_(transport), replies_(std::move(replies)), pings_(std::move(pings)) {}

    wire::Result<protocol::ApirHandshakeReply> handshake();
    // Starts the host's worker, which may take seconds.
    wire::Result<void> load_library();
    wire::Result<protocol::OpenStatus> open_ring(const protocol::ApirOpenRingRequest& request);
    wire::Result<void> close_ring(uint32_t ring);

    // Asks the device process for the context's state. Nothing when `timeout` passes unanswered or
    // `stop` returns true first.
    wire::Result<std::optional<protocol::ContextState>> ping(std::chrono::milliseconds timeout,
                                                             const std::function<bool()>& stop);

 private:
    wire::Result<uint32_t> await(const ReplyPage& page, std::chrono::milliseconds timeout,
                                 const std::function<bool()>& stop, std::string_view what);

    Transport& transport_;
    std::mutex mutex_;
    ReplyPage replies_;
    // A page of its own: a late answer to a ping must not pass for the answer to something else,
    // and pings go on while a slow command is pending.
    std::mutex ping_mutex_;
    ReplyPage pings_;
};

}  // namespace virtgpu::frontend
