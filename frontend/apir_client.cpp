#include "frontend/apir_client.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "frontend/level1_command.h"

namespace virtgpu::frontend {

using protocol::ApirForward;
using protocol::ApirType;
using wire::Fault;
using wire::Result;
using wire::Writer;

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kLevelTimeout(5);
constexpr std::chrono::seconds kLoadTimeout(60);
constexpr std::chrono::seconds kOpenRingTimeout(30);
constexpr std::chrono::milliseconds kSlice(500);
constexpr std::chrono::milliseconds kPingTimeout(500);
constexpr int kUnansweredPings = 3;
constexpr std::chrono::microseconds kShortestSleep(20);
constexpr std::chrono::microseconds kLongestSleep(200);

constexpr uint32_t kApirMajor = 0;
constexpr uint32_t kApirMinor = 2;

bool never() {
    return false;
}

Result<void> expect_forwarded(uint32_t code, std::string_view what) {
    if (code != protocol::kApirForwardSuccess)
        return wire::fail(Fault::kPeer,
                          "the host does not know {} (code {}); it is older than this frontend",
                          what, code);
    return {};
}

}  // namespace

Result<std::unique_ptr<ApirClient>> ApirClient::create(Transport& transport) {
    ReplyPage replies(TRY(transport.create_region(ReplyPage::kBytes)));
    ReplyPage pings(TRY(transport.create_region(ReplyPage::kBytes)));
    return std::make_unique<ApirClient>(transport, std::move(replies), std::move(pings));
}

Result<std::unique_ptr<ApirClient>> ApirClient::start(Transport& transport, wire::Log& log) {
    auto client = TRY(create(transport));
    const auto versions = TRY(client->handshake());
    TRY(client->find_out_level());
    log.debug("{}: APIR {}.{}, level {}", transport.name(), versions.major, versions.minor,
              client->speaks_level2() ? 2 : 1);
    TRY(client->load_library());
    return client;
}

// Polling, as nothing else is defined for level 1.
Result<std::optional<uint32_t>> ApirClient::await(const ReplyPage& page,
                                                  std::chrono::milliseconds timeout,
                                                  const std::function<bool()>& stop) {
    const auto deadline = Clock::now() + timeout;
    for (auto sleep = kShortestSleep;; sleep = std::min(2 * sleep, kLongestSleep)) {
        if (const auto code = page.code())
            return code;
        if (stop() || Clock::now() >= deadline)
            return std::nullopt;
        if (!transport_.connected())
            return wire::fail(Fault::kLost, "the host closed the connection");
        std::this_thread::sleep_for(sleep);
    }
}

Result<uint32_t> ApirClient::ask(const Writer& command, std::chrono::milliseconds timeout,
                                 std::string_view what) {
    if (out_of_step_)
        return wire::fail(Fault::kLost, "the host left an earlier command unanswered");
    replies_.clear();
    TRY(transport_.submit(command.bytes()));
    auto code = await_answer(timeout, what);
    out_of_step_ = !code;
    return code;
}

// A device that died does not show in any other way than by not answering pings.
Result<uint32_t> ApirClient::await_answer(std::chrono::milliseconds timeout,
                                          std::string_view what) {
    const auto deadline = Clock::now() + timeout;
    while (Clock::now() < deadline) {
        if (const auto code = TRY(await(replies_, std::min(timeout, kSlice), never)))
            return *code;
        // Only a host of level 2 answers those.
        if (speaks_level2_ && Clock::now() < deadline)
            TRY(ping([this] { return replies_.code().has_value(); }));
    }
    return wire::fail(Fault::kLost, "the host did not answer {} within {} ms; {}", what,
                      timeout.count(), transport_.advice());
}

Result<protocol::ApirHandshakeReply> ApirClient::handshake(std::chrono::milliseconds timeout) {
    const std::lock_guard lock(mutex_);
    Writer command = level1_command(ApirType::kHandshake, 0, replies_.number());
    TRY(encode(command, protocol::ApirHandshakeRequest{kApirMajor, kApirMinor}));
    const uint32_t code = TRY(ask(command, timeout, "HANDSHAKE"));
    if (code != protocol::kApirHandshakeCode)
        return wire::fail(Fault::kPeer, "the host answers HANDSHAKE with {:#x}", code);
    return wire::decode_whole<protocol::ApirHandshakeReply>(
        TRY(replies_.payload(sizeof(protocol::ApirHandshakeReply))));
}

Result<void> ApirClient::load_library() {
    const std::lock_guard lock(mutex_);
    const Writer command = level1_command(ApirType::kLoadlibrary, 0, replies_.number());
    const uint32_t code = TRY(ask(command, kLoadTimeout, "LOADLIBRARY"));
    if (code != 0 && speaks_level2_)
        return wire::fail(Fault::kRefused,
                          "the host could not start its compute worker (code {}); the log of "
                          "ggml-virtgpu-host says why",
                          code);
    if (code != 0)
        return wire::fail(Fault::kRefused,
                          "the host could not load its backend library (code {}); its log, and "
                          "APIR_LLAMA_CPP_LOG_TO_FILE there, say why",
                          code);
    return {};
}

// Upstream's hosts refuse any FORWARD before LOADLIBRARY, and go wrong by themselves where the
// library that they loaded refuses one.
Result<void> ApirClient::find_out_level() {
    const std::lock_guard lock(mutex_);
    const Writer question = forward_command(ApirForward::kPing, replies_.number());
    speaks_level2_ = TRY(ask(question, kLevelTimeout, "PING")) == protocol::kApirForwardSuccess;
    return {};
}

Result<std::vector<std::byte>> ApirClient::forward(protocol::ForwardCommand command,
                                                   std::span<const std::byte> arguments,
                                                   std::chrono::milliseconds timeout) {
    const std::lock_guard lock(mutex_);
    if (out_of_step_)
        return wire::fail(Fault::kLost, "the host left an earlier command unanswered");
    Writer bytes =
        level1_command(ApirType::kForward, static_cast<int32_t>(command), replies_.number());
    if (!arguments.empty())
        std::memcpy(bytes.extend(arguments.size()), arguments.data(), arguments.size());
    replies_.clear();
    TRY(transport_.submit(bytes.bytes()));
    const auto code = TRY(await(replies_, timeout, never));
    out_of_step_ = !code;
    if (!code)
        return wire::fail(Fault::kLost, "the host did not answer FORWARD {} within {} ms; {}",
                          static_cast<uint32_t>(command), timeout.count(), transport_.advice());
    if (*code != protocol::kApirForwardSuccess)
        return wire::fail(Fault::kRefused, "the host answers FORWARD {} with code {}",
                          static_cast<uint32_t>(command), *code);
    return replies_.payload(ReplyPage::kBytes - sizeof(uint32_t));
}

Result<protocol::OpenStatus> ApirClient::open_ring(const protocol::ApirOpenRingRequest& request) {
    const std::lock_guard lock(mutex_);
    Writer command = forward_command(ApirForward::kOpenRing, replies_.number());
    TRY(encode(command, request));
    TRY(expect_forwarded(TRY(ask(command, kOpenRingTimeout, "OPEN_RING")), "OPEN_RING"));
    return TRY(wire::decode_whole<protocol::ApirOpenRingReply>(
                   TRY(replies_.payload(sizeof(protocol::ApirOpenRingReply)))))
        .status;
}

Result<void> ApirClient::close_ring(uint32_t ring) {
    Writer command = forward_command(ApirForward::kCloseRing, 0);
    TRY(encode(command, protocol::ApirCloseRingRequest{ring}));
    return transport_.submit(command.bytes());
}

Result<ApirClient::Answer> ApirClient::ping(const std::function<bool()>& stop) {
    const uint64_t before = pings_done_;
    if (const std::unique_lock lock(ping_mutex_, std::try_to_lock); lock)
        TRY(send_ping(stop));
    else
        share_ping(before, stop);
    if (unanswered_ >= kUnansweredPings)
        return wire::fail(Fault::kLost, "the host does not answer any more; {}",
                          transport_.advice());
    return answer_.load();
}

Result<void> ApirClient::send_ping(const std::function<bool()>& stop) {
    pings_.clear();
    const Writer command = forward_command(ApirForward::kPing, pings_.number());
    TRY(transport_.submit(command.bytes()));
    const auto code = TRY(await(pings_, kPingTimeout, stop));
    Answer answer;
    if (code) {
        TRY(expect_forwarded(*code, "PING"));
        answer = TRY(wire::decode_whole<protocol::ApirPingReply>(
                         TRY(pings_.payload(sizeof(protocol::ApirPingReply)))))
                     .state;
    }
    unanswered_ = answer || stop() ? 0 : unanswered_ + 1;
    answer_ = answer;
    ++pings_done_;
    return {};
}

void ApirClient::share_ping(uint64_t before, const std::function<bool()>& stop) const {
    const auto deadline = Clock::now() + 2 * kPingTimeout;
    while (pings_done_ == before && !stop() && Clock::now() < deadline)
        std::this_thread::sleep_for(kLongestSleep);
}

}  // namespace virtgpu::frontend
