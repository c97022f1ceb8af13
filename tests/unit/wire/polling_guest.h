// Commands over a ring whose completions are polled for: each waits until it is done.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <thread>

#include "frontend/generated/stubs.h"
#include "wire/guest_ring.h"

namespace virtgpu::test {

class PollingGuest : public frontend::CommandStubs {
 public:
    explicit PollingGuest(wire::RingMemory memory) : ring(std::move(memory)) {}

    uint64_t send(protocol::Command command, std::span<const std::byte> request) {
        const uint64_t sequence = **ring.send(command, after, request);
        if (ring.doorbell_needed())
            ring_doorbell();
        return sequence;
    }

    // Nothing when no reply comes in time.
    std::optional<wire::Reply> receive(std::chrono::milliseconds timeout = kPatience) {
        std::optional<wire::Reply> received;
        wait(timeout, [&] {
            auto reply = ring.receive();
            if (reply && *reply)
                received = std::move(**reply);
            return received.has_value();
        });
        return received;
    }

    virtual void ring_doorbell() = 0;

    wire::GuestRing ring;
    uint64_t after = 0;  // of what is sent next
    std::optional<protocol::Status> last_status;
    std::string last_message;

 protected:
    wire::Result<std::vector<std::byte>> call(protocol::Command command,
                                              std::span<const std::byte> request) override {
        return take(send(command, request));
    }

    // The outcome is that of this request, which a guest in earnest learns later.
    wire::Result<uint64_t> queue(protocol::Command command,
                                 std::span<const std::byte> request) override {
        const uint64_t sequence = send(command, request);
        if (!wait(kPatience, [&] { return ring.completed() >= sequence || ring.reply_ready(); }))
            return wire::fail(wire::Fault::kLost, "not done");
        if (ring.reply_ready())
            TRY(take(sequence));
        return sequence;
    }

 private:
    static constexpr std::chrono::milliseconds kPatience{20000};

    template <typename Condition>
    static bool wait(std::chrono::milliseconds timeout, Condition condition) {
        const auto end = std::chrono::steady_clock::now() + timeout;
        while (!condition()) {
            if (std::chrono::steady_clock::now() >= end)
                return false;
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
        return true;
    }

    wire::Result<std::vector<std::byte>> take(uint64_t sequence) {
        auto reply = receive();
        if (!reply || reply->sequence != sequence)
            return wire::fail(wire::Fault::kLost, "no reply");
        last_status = reply->status;
        if (reply->status == protocol::Status::kOk)
            return std::move(reply->payload);
        wire::Reader reader(reply->payload);
        last_message = *reader.string(protocol::kMaxTextLength);
        return wire::fail(reply->status == protocol::Status::kRefused ? wire::Fault::kRefused
                                                                      : wire::Fault::kLost,
                          "{}", last_message);
    }
};

}  // namespace virtgpu::test
