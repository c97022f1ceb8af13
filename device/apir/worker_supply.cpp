#include "device/apir/worker_supply.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "wire/sys/sealed_copy.h"

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

Result<wire::FileDescriptor> WorkerSupply::open_loan(const device::AnyMemory& memory) {
    const bool is_guests = memory->owner() == device::RegionMemory::Owner::kGuest;
    const size_t guest_pieces = is_guests ? memory->pieces().size() : 0;
    // Each is a mapping of the worker's, of which the system allows a process about twice as many.
    if (guest_pieces > protocol::kMaxPieces - guest_pieces_lent_)
        return fail(Fault::kRefused, "{} pieces of guest memory, and {} are lent", guest_pieces,
                    guest_pieces_lent_);
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return wire::system_failure(errno, "creating a pipe");
    wire::FileDescriptor ours(ends[0]);
    wire::FileDescriptor theirs(ends[1]);
    const uint64_t number = next_loan_++;
    auto watch = TRY(loop_.watch(ours.number(), device::Interest::kReadable,
                                 [this, number] { end_loan(number); }));
    loans_.emplace(number, Loan{memory, guest_pieces, std::move(ours), std::move(watch)});
    guest_pieces_lent_ += guest_pieces;
    return theirs;
}

void WorkerSupply::end_loan(uint64_t number) {
    const auto ended = loans_.extract(number);
    guest_pieces_lent_ -= ended.mapped().guest_pieces;
}

void WorkerSupply::lend(uint32_t context, uint32_t region, const device::AnyMemory& memory) {
    const auto lent = [&]() -> Result<void> {
        const auto theirs = TRY(open_loan(memory));
        if (memory->owner() == device::RegionMemory::Owner::kGuest)
            return lend_guests(context, region, memory->pieces(), theirs.number());
        lend_ours(context, region, memory->pieces().front(), theirs.number());
        return {};
    }();
    if (!lent)  // using the region then closes the context
        log_.error("the worker is not told of a region: {}", lent.error().message());
}

void WorkerSupply::lend_ours(uint32_t context, uint32_t region, const device::FilePiece& piece,
                             int loan) {
    const std::array files{piece.file, loan};
    send(protocol::WorkerMessage::kAddRegion,
         protocol::WorkerAddRegionRequest{context, region, piece.size, piece.offset}, files);
}

Result<void> WorkerSupply::lend_guests(uint32_t context, uint32_t region,
                                       std::span<const device::FilePiece> pieces, int loan) {
    protocol::PieceList list;
    std::vector<int> guest_files;
    for (const device::FilePiece& piece : pieces) {
        auto file = std::find(guest_files.begin(), guest_files.end(), piece.file);
        if (file == guest_files.end())
            file = guest_files.insert(file, piece.file);
        list.pieces.push_back(
            {static_cast<uint32_t>(file - guest_files.begin()), piece.offset, piece.size});
    }
    wire::Writer writer;
    TRY(wire::encode(writer, list));
    const auto table = TRY(wire::sealed_copy(writer.bytes()));
    std::vector<int> files{table.number(), loan};
    files.insert(files.end(), guest_files.begin(), guest_files.end());
    send(protocol::WorkerMessage::kAddGuestRegion,
         protocol::WorkerAddGuestRegionRequest{context, region}, files);
    return {};
}

void WorkerSupply::pause() {
    if (link_ && lends_guest_memory())
        link_->pause();  // may have called lost()
}

void WorkerSupply::resume() {
    if (link_)
        link_->resume();
}

void WorkerSupply::take_back_guest_memory() {
    // A worker that was told of the end of its contexts would still write there for a while.
    if (link_ && lends_guest_memory())
        link_->end("the guest was reset, and the worker had some of its memory");
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
