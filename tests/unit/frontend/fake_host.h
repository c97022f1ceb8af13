// A host in this process: regions of plain memory, a thread per ring.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "frontend/transport/transport.h"
#include "wire/generated/messages.h"
#include "wire/host_ring.h"
#include "wire/log.h"

namespace virtgpu::test {

struct RingAnswer {
    protocol::Status status = protocol::Status::kOk;
    std::vector<std::byte> payload;
};

template <typename T>
RingAnswer ok(const T& reply) {
    wire::Writer writer;
    EXPECT_TRUE(encode(writer, reply));
    return {protocol::Status::kOk, {writer.bytes().begin(), writer.bytes().end()}};
}

RingAnswer refused(std::string_view reason);

// What it does can be changed while it runs. Thread safe.
class FakeHost {
 public:
    using Handler = std::function<RingAnswer(protocol::Command, std::span<const std::byte>)>;

    explicit FakeHost(Handler handler) : handler_(std::move(handler)) {}
    ~FakeHost();
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;

    std::unique_ptr<frontend::Transport> make_transport();
    std::shared_ptr<wire::Region> region(uint32_t number);
    int commands() const { return commands_; }
    int connections() const { return connections_; }
    // The last request of a ring that is done.
    uint64_t completed(uint32_t ring) const { return completed_.at(ring); }
    // `after` of the last request.
    uint64_t last_after() const { return last_after_; }
    // Up to which request of any ring the guest no longer wants graphs.
    uint64_t aborted_until() const { return aborted_until_; }

    std::atomic<bool> serves_rings = true;
    // Requests come after those that they name, of ring 0 and by AWAIT_RING.
    std::atomic<bool> orders_rings = false;
    std::atomic<bool> answers_pings = true;
    std::atomic<bool> answers_opening = true;
    std::atomic<bool> memory_is_short = false;  // commands end with std::bad_alloc
    std::atomic<protocol::ContextState> state = protocol::ContextState::kAlive;
    std::atomic<uint32_t> load_code = 0;
    std::atomic<size_t> largest_region = SIZE_MAX;

 private:
    friend class FakeTransport;
    friend class FakeRegion;

    void apir(std::span<const std::byte> command);
    void answer(uint32_t region, uint32_t code, std::span<const std::byte> payload);
    void serve(const std::stop_token& stop, uint32_t number, wire::RingMemory memory);
    bool serve_one(const std::stop_token& stop, uint32_t number, wire::HostRing& ring);
    void wait_for_others(const std::stop_token& stop, const wire::Request& request);
    void signal();

    Handler handler_;
    std::mutex mutex_;
    std::condition_variable signaled_;
    uint64_t signals_ = 0;
    uint32_t next_region_ = 1;
    std::map<uint32_t, std::shared_ptr<wire::Region>> regions_;
    std::map<uint32_t, std::jthread> rings_;
    std::array<std::atomic<uint64_t>, protocol::kMaxRings> completed_{};
    std::atomic<int> commands_ = 0;
    std::atomic<int> connections_ = 0;
    std::atomic<uint64_t> last_after_ = 0;
    std::atomic<uint64_t> aborted_until_ = 0;
};

// Keeps what is logged, from warnings on.
class RecordingLog : public wire::Log {
 public:
    bool enabled(wire::LogLevel level) const override { return level >= wire::LogLevel::kWarning; }
    void write(wire::LogLevel level, std::string_view message) override;
    std::vector<std::string> lines();

 private:
    std::mutex mutex_;
    std::vector<std::string> lines_;
};

}  // namespace virtgpu::test
