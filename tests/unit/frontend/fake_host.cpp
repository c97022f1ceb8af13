#include "tests/unit/frontend/fake_host.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "wire/generated/codec.h"

namespace virtgpu::test {

using wire::Result;

namespace {

class HeapRegion : public wire::Region {
 public:
    explicit HeapRegion(size_t size)
        : Region(static_cast<std::byte*>(std::aligned_alloc(4096, size)), size) {
        std::memset(base(), 0, size);
    }
    ~HeapRegion() override { std::free(base()); }
    HeapRegion(const HeapRegion&) = delete;
    HeapRegion& operator=(const HeapRegion&) = delete;
};

}  // namespace

class FakeRegion : public frontend::SharedRegion {
 public:
    FakeRegion(FakeHost& host, uint32_t number, std::shared_ptr<wire::Region> memory)
        : SharedRegion(number, std::move(memory)), host_(host) {}
    ~FakeRegion() override {
        const std::lock_guard lock(host_.mutex_);
        host_.regions_.erase(number());
    }
    FakeRegion(const FakeRegion&) = delete;
    FakeRegion& operator=(const FakeRegion&) = delete;

 private:
    FakeHost& host_;
};

class FakeTransport : public frontend::Transport {
 public:
    explicit FakeTransport(FakeHost& host) : host_(host) { ++host_.connections_; }
    ~FakeTransport() override { --host_.connections_; }
    FakeTransport(const FakeTransport&) = delete;
    FakeTransport& operator=(const FakeTransport&) = delete;

    std::string name() const override { return "fake"; }
    std::string advice() const override { return "restart the test"; }

    Result<std::unique_ptr<frontend::SharedRegion>> create_region(size_t size) override {
        if (size > host_.largest_region)
            return wire::fail(wire::Fault::kRefused, "no region of {} bytes", size);
        const std::lock_guard lock(host_.mutex_);
        const auto memory = std::make_shared<HeapRegion>((size + 4095) / 4096 * 4096);
        const uint32_t number = host_.next_region_++;
        host_.regions_[number] = memory;
        return std::make_unique<FakeRegion>(host_, number, memory);
    }
    Result<void> submit(std::span<const std::byte> command) override {
        if (host_.memory_is_short)
            throw std::bad_alloc();
        host_.apir(command);
        return {};
    }
    Result<void> open_signals(uint32_t /*ring*/) override { return {}; }
    void close_signals(uint32_t /*ring*/) override {}
    Result<void> doorbell(uint32_t /*ring*/) override { return {}; }
    Result<void> wait(uint32_t /*ring*/, std::chrono::microseconds timeout) override {
        std::unique_lock lock(host_.mutex_);
        const uint64_t before = seen_;
        host_.signaled_.wait_for(lock, timeout, [&] { return host_.signals_ != before; });
        seen_ = host_.signals_;
        return {};
    }
    bool connected() const override { return true; }

 private:
    FakeHost& host_;
    uint64_t seen_ = 0;
};

RingAnswer refused(std::string_view reason) {
    wire::Writer writer;
    EXPECT_TRUE(writer.string(reason, protocol::kMaxTextLength));
    return {protocol::Status::kRefused, {writer.bytes().begin(), writer.bytes().end()}};
}

FakeHost::~FakeHost() {
    for (auto& [number, thread] : rings_)
        thread.request_stop();
}

std::unique_ptr<frontend::Transport> FakeHost::make_transport() {
    return std::make_unique<FakeTransport>(*this);
}

std::shared_ptr<wire::Region> FakeHost::region(uint32_t number) {
    const std::lock_guard lock(mutex_);
    return regions_.at(number);
}

void FakeHost::signal() {
    const std::lock_guard lock(mutex_);
    ++signals_;
    signaled_.notify_all();
}

void FakeHost::answer(uint32_t region_number, uint32_t code, std::span<const std::byte> payload) {
    const auto page = region(region_number);
    ASSERT_TRUE(page->copy_in(4, payload));
    auto* const word = reinterpret_cast<uint32_t*>(page->bulk(0, 4)->data());
    std::atomic_ref<uint32_t>(*word).store(code + 1, std::memory_order_release);
}

void FakeHost::apir(std::span<const std::byte> command) {
    wire::Reader reader(command);
    const int32_t type = *reader.number<int32_t>();
    const int32_t flags = *reader.number<int32_t>();
    const uint32_t reply = *reader.number<uint32_t>();
    const auto decoded = wire::decode_apir_command(type, flags, command.subspan(12));
    ASSERT_TRUE(decoded) << decoded.error().message();

    wire::Writer fields;
    if (std::holds_alternative<protocol::ApirHandshakeRequest>(*decoded)) {
        ASSERT_TRUE(encode(fields, protocol::ApirHandshakeReply{0, 2}));
        answer(reply, protocol::kApirHandshakeCode, fields.bytes());
    } else if (std::holds_alternative<wire::ApirLoadlibraryRequest>(*decoded)) {
        answer(reply, load_code, {});
    } else if (const auto* open = std::get_if<protocol::ApirOpenRingRequest>(&*decoded)) {
        if (!answers_opening)
            return;
        auto memory =
            wire::RingMemory::create(region(open->region), open->request_bytes, open->reply_bytes);
        ASSERT_TRUE(memory);
        completed_[open->ring] = 0;
        rings_.insert_or_assign(
            open->ring,
            std::jthread([this, number = open->ring, shared = *memory](
                             const std::stop_token& stop) { serve(stop, number, shared); }));
        ASSERT_TRUE(encode(fields, protocol::ApirOpenRingReply{protocol::OpenStatus::kOk}));
        answer(reply, protocol::kApirForwardSuccess, fields.bytes());
    } else if (const auto* close = std::get_if<protocol::ApirCloseRingRequest>(&*decoded)) {
        rings_.erase(close->ring);
        completed_[close->ring] = UINT64_MAX;
    } else if (std::holds_alternative<wire::ApirPingRequest>(*decoded) && answers_pings) {
        ASSERT_TRUE(encode(fields, protocol::ApirPingReply{state}));
        answer(reply, protocol::kApirForwardSuccess, fields.bytes());
    }
}

void FakeHost::wait_for_others(const std::stop_token& stop, const wire::Request& request) {
    const auto wait = [&](uint32_t number, uint64_t sequence) {
        while (completed_[number] < sequence && !stop.stop_requested())
            std::this_thread::sleep_for(std::chrono::microseconds(50));
    };
    if (!orders_rings)
        return;
    wait(0, request.after);
    if (request.command == static_cast<uint32_t>(protocol::Command::kAwaitRing)) {
        const auto awaited = wire::decode_whole<protocol::AwaitRingRequest>(request.payload);
        wait(awaited->ring, awaited->sequence);
    }
}

bool FakeHost::serve_one(const std::stop_token& stop, uint32_t number, wire::HostRing& ring) {
    auto request = ring.next();
    if (!request || !*request)
        return false;
    wait_for_others(stop, **request);
    ++commands_;
    last_after_ = (*request)->after;
    const RingAnswer reply =
        handler_(static_cast<protocol::Command>((*request)->command), (*request)->payload);
    if (reply.status != protocol::Status::kOk ||
        !protocol::is_queued(static_cast<protocol::Command>((*request)->command))) {
        EXPECT_TRUE(ring.reply((*request)->sequence, reply.status, reply.payload));
    }
    if (ring.complete((*request)->sequence))
        signal();
    completed_[number] = (*request)->sequence;
    return true;
}

void FakeHost::serve(const std::stop_token& stop, uint32_t number, wire::RingMemory memory) {
    const auto aborted_until = memory.abort_until();
    wire::HostRing ring(std::move(memory));
    while (!stop.stop_requested()) {
        if (const uint64_t aborted = aborted_until.load(); aborted != 0)
            aborted_until_ = aborted;
        if (!serves_rings || !serve_one(stop, number, ring))
            std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
}

void RecordingLog::write(wire::LogLevel /*level*/, std::string_view message) {
    const std::lock_guard lock(mutex_);
    lines_.emplace_back(message);
}

std::vector<std::string> RecordingLog::lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
}

}  // namespace virtgpu::test
