// Level 1: what the device process itself, or the worker's start, answers.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "frontend/reply_page.h"
#include "frontend/transport/transport.h"
#include "wire/generated/codec.h"
#include "wire/log.h"

namespace virtgpu::frontend {

// Thread safe. A command that stays unanswered ends it: its late answer would pass for that to the
// next. Every failure but Fault::kRefused means that the host is lost.
class ApirClient {
 public:
    static wire::Result<std::unique_ptr<ApirClient>> create(Transport& transport);
    ApirClient(Transport& transport, ReplyPage replies, ReplyPage pings)
        : transport_(transport), replies_(std::move(replies)), pings_(std::move(pings)) {}

    // From create() to load_library(), and asks in between what level the host speaks.
    static wire::Result<std::unique_ptr<ApirClient>> start(Transport& transport, wire::Log& log);
    // Between handshake() and load_library(): upstream's hosts go wrong when they are asked later.
    wire::Result<void> find_out_level();
    // Known after find_out_level() or start().
    bool speaks_level2() const { return speaks_level2_; }

    wire::Result<protocol::ApirHandshakeReply> handshake(
        std::chrono::milliseconds timeout = std::chrono::seconds(5));
    // One of upstream's commands, with as much of the reply's payload as a page holds.
    // Fault::kRefused for any code but success.
    wire::Result<std::vector<std::byte>> forward(protocol::ForwardCommand command,
                                                 std::span<const std::byte> arguments,
                                                 std::chrono::milliseconds timeout);
    // Starts the host's worker, which may take seconds.
    wire::Result<void> load_library();
    wire::Result<protocol::OpenStatus> open_ring(const protocol::ApirOpenRingRequest& request);
    wire::Result<void> close_ring(uint32_t ring);

    using Answer = std::optional<protocol::ContextState>;
    // Asks the device process for the context's state and waits half a second for the answer;
    // threads that ask while another one does share what it gets. Nothing when there is no answer
    // yet or `stop` returned true. Fault::kLost after three questions in a row without an answer.
    wire::Result<Answer> ping(const std::function<bool()>& stop);

 private:
    // Code of a reply, or nothing when `timeout` passed or `stop` returned true.
    wire::Result<std::optional<uint32_t>> await(const ReplyPage& page,
                                                std::chrono::milliseconds timeout,
                                                const std::function<bool()>& stop);
    // Sends a command and waits for its reply's code. Only with the lock held.
    wire::Result<uint32_t> ask(const wire::Writer& command, std::chrono::milliseconds timeout,
                               std::string_view what);
    wire::Result<uint32_t> await_answer(std::chrono::milliseconds timeout, std::string_view what);
    wire::Result<void> send_ping(const std::function<bool()>& stop);
    void share_ping(uint64_t before, const std::function<bool()>& stop) const;

    Transport& transport_;
    std::mutex mutex_;
    bool out_of_step_ = false;
    bool speaks_level2_ = false;
    ReplyPage replies_;
    // A page of its own: a late answer to a ping must not pass for the answer to something else,
    // and pings go on while a slow command is pending.
    std::mutex ping_mutex_;
    ReplyPage pings_;
    std::atomic<uint64_t> pings_done_ = 0;
    std::atomic<int> unanswered_ = 0;  // pings in a row
    std::atomic<Answer> answer_;       // to the latest
};

}  // namespace virtgpu::frontend
