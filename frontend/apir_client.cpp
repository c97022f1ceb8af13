#include "frontend/apir_client.h"

#include <algorithm>
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

constexpr std::chrono::seconds kHandshakeTimeout(5);
constexpr std::chrono::seconds kLoadTimeout(60);
constexpr std::chrono::seconds kOpenRingTimeout(30);
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

// Polling, as nothing else is defined for level 1: `Fault::kRefused` when stopped or timed out.
Result<uint32_t> ApirClient::await(const ReplyPage& page, std::chrono::milliseconds timeout,
                                   const std::function<bool()>& stop, std::string_view what) {
    const auto deadline = Clock::now() + timeout;
    for (auto sleep = kShortestSleep;; sleep = std::min(2 * sleep, kLongestSleep)) {
        if (const auto code = page.code())
            return *code;
        if (stop() || Clock::now() >= deadline)
            return wire::fail(Fault::kRefused, "the host did not answer {} within {} ms", what,
                              timeout.count());
        if (!transport_.connected())
            return wire::fail(Fault::kLost, "the host closed the connection during {}", what);
        std::this_thread::sleep_for(sleep);
    }
}

Result<protocol::ApirHandshakeReply> ApirClient::handshake() {
    const std::lock_guard lock(mutex_);
    replies_.clear();
    Writer command = level1_command(ApirType::kHandshake, 0, replies_.number());
    TRY(encode(command, protocol::ApirHandshakeRequest{kApirMajor, kApirMinor}));
    TRY(transport_.submit(command.bytes()));
    const uint32_t code = TRY(await(replies_, kHandshakeTimeout, never, "HANDSHAKE"));
    if (code != protocol::kApirHandshakeCode)
        return wire::fail(Fault::kPeer, "the host answers HANDSHAKE with {:#x}", code);
    return wire::decode_whole<protocol::ApirHandshakeReply>(
        TRY(replies_.payload(sizeof(protocol::ApirHandshakeReply))));
}

Result<void> ApirClient::load_library() {
    const std::lock_guard lock(mutex_);
    replies_.clear();
    const Writer command = level1_command(ApirType::kLoadlibrary, 0, replies_.number());
    TRY(transport_.submit(command.bytes()));
    const uint32_t code = TRY(await(replies_, kLoadTimeout, never, "LOADLIBRARY"));
    if (code != 0)
        return wire::fail(Fault::kRefused,
                          "the host could not start its compute worker (code {}); the log of "
                          "ggml-virtgpu-host says why",
                          code);
    return {};
}

Result<protocol::OpenStatus> ApirClient::open_ring(const protocol::ApirOpenRingRequest& request) {
    const std::lock_guard lock(mutex_);
    replies_.clear();
    Writer command = forward_command(ApirForward::kOpenRing, replies_.number());
    TRY(encode(command, request));
    TRY(transport_.submit(command.bytes()));
    TRY(expect_forwarded(TRY(await(replies_, kOpenRingTimeout, never, "OPEN_RING")), "OPEN_RING"));
    return TRY(wire::decode_whole<protocol::ApirOpenRingReply>(
                   TRY(replies_.payload(sizeof(protocol::ApirOpenRingReply)))))
        .status;
}

Result<void> ApirClient::close_ring(uint32_t ring) {
    Writer command = forward_command(ApirForward::kCloseRing, 0);
    TRY(encode(command, protocol::ApirCloseRingRequest{ring}));
    return transport_.submit(command.bytes());
}

Result<std::optional<protocol::ContextState>> ApirClient::ping(std::chrono::milliseconds timeout,
                                                               const std::function<bool()>& stop) {
    const std::lock_guard lock(ping_mutex_);
    pings_.clear();
    const Writer command = forward_command(ApirForward::kPing, pings_.number());
    TRY(transport_.submit(command.bytes()));
    const auto code = await(pings_, timeout, stop, "PING");
    if (!code && code.error().fault() == Fault::kRefused)
        return std::optional<protocol::ContextState>();
    TRY(expect_forwarded(TRY(Result<uint32_t>(code)), "PING"));
    return std::optional(TRY(wire::decode_whole<protocol::ApirPingReply>(
                                 TRY(pings_.payload(sizeof(protocol::ApirPingReply)))))
                             .state);
}

}  // namespace virtgpu::frontend
