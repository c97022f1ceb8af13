#include "backend/host.h"

namespace virtgpu::backend {

Context::Context(std::shared_ptr<Session> session, int threads, Polling polling,
                 ContextFailed failed)
    : session_(std::move(session)),
      threads_(threads),
      polling_(std::move(polling)),
      failed_(std::move(failed)) {}

Context::~Context() {
    Context::close();
}

Result<void> Context::open_ring(uint32_t ring, wire::RingMemory memory,
                                std::unique_ptr<RingSignals> signals) {
    if (ring >= protocol::kMaxRings || executors_.contains(ring))
        return wire::fail(Fault::kRefused, "ring {} is out of range or open", ring);
    if (session_->failed())
        return wire::fail(Fault::kRefused, "the context has failed");
    forget_finished();
    // Rings that are closed but still compute count too, or a guest that opens and closes rings
    // would collect threads without end.
    if (executors_.size() + closing_.size() >= protocol::kMaxRings)
        return wire::fail(Fault::kRefused, "{} rings are open or still being closed",
                          executors_.size() + closing_.size());
    const auto server = std::make_shared<RingServer>(wire::HostRing(std::move(memory)), ring,
                                                     RingServer::Manner{threads_, polling_},
                                                     std::move(signals), session_, failed_);
    session_->add_ring(ring, server);
    executors_[ring] = TRY(Executor::start(server, session_, polling_));
    return {};
}

void Context::close_ring(uint32_t ring) {
    forget_finished();
    const auto found = executors_.find(ring);
    if (found == executors_.end())
        return;
    found->second->stop(Stop::kWhenEmpty);
    closing_.push_back(std::move(found->second));
    executors_.erase(found);
}

void Context::forget_finished() {
    std::erase_if(closing_, [](const auto& executor) { return executor->finished(); });
}

Result<void> Context::forward(ForwardCall call) {
    if (!forwards_)
        forwards_ = TRY(ForwardExecutor::start(std::make_unique<ForwardServer>(session_, threads_),
                                               session_->regions(),
                                               {session_->context(), session_->log()}));
    forwards_->submit(std::move(call));
    return {};
}

void Context::drain() {
    for (const auto& [ring, executor] : executors_)
        executor->stop(Stop::kWhenEmpty);
    for (const auto& [ring, executor] : executors_)
        executor->join();
    for (const auto& executor : closing_)
        executor->join();
    if (forwards_)
        forwards_->drain();
}

void Context::close() {
    for (const auto& [ring, executor] : executors_)
        executor->stop(Stop::kNow);
    for (const auto& executor : closing_)
        executor->stop(Stop::kNow);
    if (forwards_)
        forwards_->stop();
    executors_.clear();
    closing_.clear();
    forwards_ = nullptr;
}

ContextSummary Context::summary() const {
    const Counters& counters = session_->counters();
    return {
        .graphs = counters.graphs,
        .nodes = counters.nodes,
        .defined = counters.defined,
        .edited = counters.edited,
        .requests = counters.requests,
        .request_bytes = counters.request_bytes,
        .graph_bytes = counters.graph_bytes,
        .doorbells = counters.doorbells,
        .wakeups = counters.wakeups,
        .stalls = counters.stalls,
        .bytes_in = counters.bytes_in,
        .bytes_out = counters.bytes_out,
    };
}

}  // namespace virtgpu::backend
