#include "worker/control_loop.h"

#include "worker/ring_events.h"

namespace virtgpu::worker {

namespace {

constexpr std::chrono::milliseconds kForever(-1);
constexpr std::chrono::milliseconds kDrainCheck(20);
constexpr size_t kMaxClosing = 64;  // contexts that still compute after their end

}  // namespace

void ControlLoop::run() {
    while (!draining_ || !closing_.all_done()) {
        auto message = socket_.receive(draining_ ? kDrainCheck : kForever);
        if (!message && message.error().fault() == wire::Fault::kPeer) {
            log_.error("a message of the device process: {}", message.error().message());
            continue;
        }
        if (!message) {
            log_.debug("{}", message.error().message());
            return;
        }
        if (*message)
            std::visit([&](const auto& request) { handle(request, **message); },
                       (*message)->request);
    }
}

wire::Result<ControlLoop::OpenContext*> ControlLoop::find(uint32_t context) {
    const auto found = contexts_.find(context);
    if (found == contexts_.end())
        return wire::fail(wire::Fault::kRefused, "there is no context {}", context);
    return &found->second;
}

void ControlLoop::handle(const protocol::WorkerOpenContextRequest& request, ControlMessage&) {
    // A guest that opens contexts, computes and closes them would otherwise collect threads.
    const bool too_many = closing_.count() >= kMaxClosing;
    if (draining_ || too_many || contexts_.contains(request.context)) {
        log_.error("context {} cannot be opened", request.context);
        return socket_.context_opened(request.context, protocol::OpenStatus::kRefused);
    }
    const auto failed = [this](uint32_t context, const std::string& reason) {
        log_.warning("context {} broke the protocol and is closed: {}", context, reason);
        socket_.context_failed(context, reason);
    };
    OpenContext context;
    context.regions = std::make_shared<RegionTable>(source_.pinning());
    auto opened = source_.open_context(request.context, context.regions, failed);
    if (!opened) {
        log_.error("context {} cannot be opened: {}", request.context, opened.error().message());
        return socket_.context_opened(request.context, protocol::OpenStatus::kRefused);
    }
    context.context = std::move(*opened);
    contexts_.emplace(request.context, std::move(context));
    socket_.context_opened(request.context, protocol::OpenStatus::kOk);
}

void ControlLoop::end(uint32_t number, OpenContext context, Ending ending) {
    auto owned = std::make_shared<OpenContext>(std::move(context));
    closing_.start([owned = std::move(owned), number, ending, this]() mutable {
        if (ending == Ending::kDrain)
            owned->context->drain();
        owned->context->close();
        const backend::ContextSummary summary = owned->context->summary();
        owned.reset();
        log_summary("context closed", number, summary);
    });
}

void ControlLoop::log_summary(std::string_view occasion, uint32_t context,
                              const backend::ContextSummary& summary) const {
    log_.info(
        "{}: context={} graphs={} nodes={} defined={} edited={} requests={} request_bytes={} "
        "graph_bytes={} doorbells={} wakeups={} stalls={} bytes_in={} bytes_out={}",
        occasion, context, summary.graphs, summary.nodes, summary.defined, summary.edited,
        summary.requests, summary.request_bytes, summary.graph_bytes, summary.doorbells,
        summary.wakeups, summary.stalls, summary.bytes_in, summary.bytes_out);
}

void ControlLoop::handle(const wire::WorkerLogCountersRequest&, ControlMessage&) {
    for (const auto& [number, context] : contexts_)
        log_summary("context so far", number, context.context->summary());
}

void ControlLoop::handle(const protocol::WorkerCloseContextRequest& request, ControlMessage&) {
    auto context = contexts_.extract(request.context);
    if (!context.empty())
        end(request.context, std::move(context.mapped()), Ending::kStop);
}

void ControlLoop::handle(const protocol::WorkerAddRegionRequest& request, ControlMessage& message) {
    const auto context = find(request.context);
    wire::Result<void> added = wire::fail(wire::Fault::kSystem, "no context or no file for it");
    if (context && message.files.size() == 2)
        added = (*context)->regions->add(request, message.files[0], std::move(message.files[1]));
    // The guest learns of it when it uses the region.
    if (!added)
        log_.error("context {} region {}: {}", request.context, request.region,
                   added.error().message());
}

void ControlLoop::handle(const protocol::WorkerAddGuestRegionRequest& request,
                         ControlMessage& message) {
    const auto context = find(request.context);
    wire::Result<void> added = wire::fail(wire::Fault::kSystem, "no context or no files for it");
    if (context && message.files.size() > 2)
        added = (*context)->regions->add_guests(request.region, message.files[0],
                                                std::span(message.files).subspan(2),
                                                std::move(message.files[1]));
    if (!added)
        log_.error("context {} region {}: {}", request.context, request.region,
                   added.error().message());
}

void ControlLoop::handle(const protocol::WorkerRemoveRegionRequest& request, ControlMessage&) {
    if (const auto context = find(request.context))
        (*context)->regions->remove(request.region);
}

wire::Result<void> ControlLoop::open_ring(const protocol::WorkerOpenRingRequest& request,
                                          ControlMessage& message) {
    OpenContext* const context = TRY(find(request.context));
    if (message.files.size() != 2)
        return wire::fail(wire::Fault::kRefused, "{} eventfds instead of 2", message.files.size());
    auto region = TRY(context->regions->find_now(request.region));
    auto memory = TRY(
        wire::RingMemory::create(std::move(region), request.request_bytes, request.reply_bytes));
    auto events = TRY(RingEvents::create(std::move(message.files[0]), std::move(message.files[1])));
    return context->context->open_ring(request.ring, std::move(memory), std::move(events));
}

void ControlLoop::handle(const protocol::WorkerOpenRingRequest& request, ControlMessage& message) {
    const auto opened = open_ring(request, message);
    if (!opened)
        log_.warning("context {} ring {}: {}", request.context, request.ring,
                     opened.error().message());
    socket_.ring_opened(request.context, request.ring,
                        opened ? protocol::OpenStatus::kOk : protocol::OpenStatus::kRefused);
}

void ControlLoop::handle(const protocol::WorkerCloseRingRequest& request, ControlMessage&) {
    if (const auto context = find(request.context))
        (*context)->context->close_ring(request.ring);
}

void ControlLoop::handle(const protocol::WorkerForwardRequest& request, ControlMessage&) {
    const auto arguments = std::as_bytes(std::span(request.arguments));
    const auto answered = [this, context = request.context, serial = request.serial] {
        socket_.forwarded(context, serial);
    };
    const auto forwarded = [&]() -> wire::Result<void> {
        OpenContext* const context = TRY(find(request.context));
        return context->context->forward({request.command,
                                          request.reply,
                                          request.room,
                                          {arguments.begin(), arguments.end()},
                                          answered});
    }();
    if (forwarded)
        return;
    // The guest would wait for ever.
    log_.error("context {}: {}", request.context, forwarded.error().message());
    socket_.context_failed(request.context, forwarded.error().message());
}

void ControlLoop::handle(const wire::WorkerDrainRequest&, ControlMessage&) {
    log_.info("finishing what {} contexts hold", contexts_.size());
    draining_ = true;
    for (auto& [number, context] : contexts_)
        end(number, std::move(context), Ending::kDrain);
    contexts_.clear();
}

template <typename T>
void ControlLoop::handle(const T&, ControlMessage&) {
    log_.error("the device process sent what only a worker sends");
}

}  // namespace virtgpu::worker
