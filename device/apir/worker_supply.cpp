#include "device/apir/worker_supply.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace virtgpu::apir {

Result<void> WorkerSupply::ensure_started() {
    if (draining_)
        return fail(Fault::kRefused, "the host program is ending");
    if (link_)
        link_->notice_end();  // may have called lost()
    if (link_)
        return {};
    std::erase_if(ending_, [](const auto& link) { return link->ended(); });
    link_ = TRY(WorkerLink::start(
        launcher_, loop_, log_,
        [this](const wire::WorkerRequest& message) { listener_.on_worker_message(message); },
        [this] { lost(); }));
    return {};
}

Result<wire::FileDescriptor> WorkerSupply::open_loan(const device::SharedMemory& memory) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return wire::system_failure(errno, "creating a pipe");
    wire::FileDescriptor ours(ends[0]);
    wire::FileDescriptor theirs(ends[1]);
    const uint64_t number = next_loan_++;
    auto watch = TRY(loop_.watch(ours.number(), device::Interest::kReadable,
                                 [this, number] { const auto ended = loans_.extract(number); }));
    loans_.emplace(number, Loan{memory, std::move(ours), std::move(watch)});
    return theirs;
}

void WorkerSupply::lend(uint32_t context, uint32_t region, const device::SharedMemory& memory) {
    const auto theirs = open_loan(memory);
    if (!theirs)  // using the region then closes the context
        return log_.error("the worker is not told of a region: {}", theirs.error().message());
    const std::array files{memory->file(), theirs->number()};
    send(protocol::WorkerMessage::kAddRegion,
         protocol::WorkerAddRegionRequest{context, region, memory->size(), memory->offset()},
         files);
}

void WorkerSupply::lost() {
    // Kept, because this is called from inside the link.
    ending_.push_back(std::move(link_));
    listener_.on_worker_lost();
}

void WorkerSupply::log_counters() {
    wire::Writer writer;
    writer.number(static_cast<uint32_t>(protocol::WorkerMessage::kLogCounters));
    if (link_)
        link_->send(writer.bytes(), {});
}

void WorkerSupply::drain() {
    draining_ = true;
    if (link_)
        link_->drain();
}

bool WorkerSupply::ended() const {
    return !link_ && std::all_of(ending_.begin(), ending_.end(),
                                 [](const auto& link) { return link->ended(); });
}

}  // namespace virtgpu::apir
