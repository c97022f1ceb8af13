#include "backend/session.h"

#include <algorithm>

#include "backend/ring_server.h"

namespace virtgpu::backend {

Session::Session(uint32_t context, const Catalogue& catalogue,
                 std::shared_ptr<const Regions> regions, const Limits& limits,
                 std::chrono::microseconds guest_polling, std::shared_ptr<MemoryAccount> memory,
                 std::shared_ptr<GraphUids> graph_uids, wire::Trace* trace, wire::Log& log)
    : context_(context),
      catalogue_(catalogue),
      regions_(std::move(regions)),
      trace_(trace),
      log_(log),
      buffers_(limits.buffers),
      memory_(std::move(memory)),
      graph_uids_(std::move(graph_uids)),
      limits_(limits),
      guest_polling_(guest_polling) {}

Result<void> Session::agree(validate::Vocabulary vocabulary) {
    const std::lock_guard lock(vocabulary_mutex_);
    if (vocabulary_)
        return wire::fail(Fault::kPeer, "a second HELLO");
    vocabulary_ = std::make_shared<const validate::Vocabulary>(std::move(vocabulary));
    return {};
}

Result<std::shared_ptr<const validate::Vocabulary>> Session::vocabulary() const {
    const std::lock_guard lock(vocabulary_mutex_);
    if (!vocabulary_)
        return wire::fail(Fault::kPeer, "a command before HELLO");
    return vocabulary_;
}

protocol::GetDeviceMemoryReply Session::memory_of(ggml_backend_dev_t device) const {
    size_t free = 0;
    size_t total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    // A device that does not know what it has says 0; so do we, unless the operator knows.
    if (total == 0)
        return limits_.memory_bytes == 0
                   ? protocol::GetDeviceMemoryReply{0, 0}
                   : protocol::GetDeviceMemoryReply{memory_->left(), memory_->limit()};
    return {std::min<uint64_t>(free, memory_->left()), std::min<uint64_t>(total, memory_->limit())};
}

void Session::add_ring(uint32_t number, const std::shared_ptr<RingServer>& server) {
    const std::lock_guard lock(rings_mutex_);
    rings_[number] = server;
}

std::shared_ptr<RingServer> Session::ring(uint32_t number) const {
    const std::lock_guard lock(rings_mutex_);
    const auto found = rings_.find(number);
    return found == rings_.end() ? nullptr : found->second.lock();
}

Result<void> Session::serve_ring0(uint64_t sequence, const StopAsked& stop) {
    if (sequence == 0)
        return {};
    const auto server = ring(0);
    if (!server)
        return wire::fail(Fault::kPeer,
                          "a request that comes after one of ring 0, which is closed");
    return server->serve_until(sequence, stop);
}

bool Session::fail() {
    return !failed_.exchange(true);
}

}  // namespace virtgpu::backend
