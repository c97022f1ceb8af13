#include "worker/region_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "wire/generated/codec.h"
#include "wire/sys/mapped_region.h"
#include "wire/sys/sealed_copy.h"

namespace virtgpu::worker {

namespace {

// Much longer than a message needs, short for a guest that names a region that it does not have.
constexpr std::chrono::milliseconds kMessageDelay(500);

constexpr size_t kLargestPieceList =
    sizeof(uint32_t) + size_t{protocol::kMaxPieces} * protocol::FilePiece::kEncodedBytes;

// Members are destroyed in the reverse order: the region is given free by the devices, then
// unmapped, and then the loan ends.
struct BorrowedRegion {
    wire::FileDescriptor loan;
    std::shared_ptr<backend::RegionPinning> pinning;
    std::shared_ptr<wire::Region> region;
    std::unique_ptr<backend::PinnedRegion> pinned;
};

wire::Result<void> check_size(int file, uint64_t offset, uint64_t size) {
    struct stat status {};
    if (::fstat(file, &status) != 0)
        return wire::system_failure(errno, "looking at a region's file");
    const auto file_size = static_cast<uint64_t>(status.st_size);
    if (size == 0 || status.st_size < 0 || offset > file_size || size > file_size - offset)
        return wire::fail(wire::Fault::kSystem, "a region of {}+{} bytes in a file of {}", offset,
                          size, status.st_size);
    return {};
}

wire::Result<void> check_file(int file, uint64_t offset, uint64_t size) {
    TRY(check_size(file, offset, size));
    const int seals = ::fcntl(file, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        return wire::fail(wire::Fault::kSystem, "a region's file is not sealed against shrinking");
    return {};
}

}  // namespace

wire::Result<void> RegionTable::add(const protocol::WorkerAddRegionRequest& request,
                                    const wire::FileDescriptor& file, wire::FileDescriptor loan) {
    TRY(check_file(file.number(), request.offset, request.size));
    auto mapped =
        TRY(wire::map_region(file.number(), request.size, static_cast<int64_t>(request.offset)));
    return keep(request.region, std::move(mapped), std::move(loan));
}

wire::Result<void> RegionTable::add_guests(uint32_t number, const wire::FileDescriptor& piece_list,
                                           std::span<const wire::FileDescriptor> files,
                                           wire::FileDescriptor loan) {
    const auto bytes = TRY(wire::read_sealed_copy(piece_list, kLargestPieceList));
    const auto list = TRY(wire::decode_whole<protocol::PieceList>(bytes));
    std::vector<wire::MappedPiece> pieces;
    for (const protocol::FilePiece& piece : list.pieces) {
        if (piece.file >= files.size())
            return wire::fail(wire::Fault::kSystem, "a region in file {} of {}", piece.file,
                              files.size());
        const int file = files[piece.file].number();
        TRY(check_size(file, piece.offset, piece.size));
        pieces.push_back({file, piece.offset, piece.size});
    }
    return keep(number, TRY(wire::map_pieces(pieces)), std::move(loan));
}

wire::Result<void> RegionTable::keep(uint32_t number, std::shared_ptr<wire::Region> mapped,
                                     wire::FileDescriptor loan) {
    auto pinned = pinning_->pin(TRY(mapped->bulk(0, mapped->size())));
    const auto borrowed = std::make_shared<BorrowedRegion>(
        BorrowedRegion{std::move(loan), pinning_, std::move(mapped), std::move(pinned)});
    const std::shared_ptr<wire::Region> region(borrowed, borrowed->region.get());
    const std::lock_guard lock(mutex_);
    if (!regions_.emplace(number, region).second)
        return wire::fail(wire::Fault::kSystem, "region {} exists", number);
    added_.notify_all();
    return {};
}

void RegionTable::remove(uint32_t number) {
    std::shared_ptr<wire::Region> removed;  // unmapped outside the lock
    const std::lock_guard lock(mutex_);
    const auto found = regions_.find(number);
    if (found == regions_.end())
        return;
    removed = std::move(found->second);
    regions_.erase(found);
}

wire::Result<std::shared_ptr<wire::Region>> RegionTable::find(uint32_t number) const {
    {
        std::unique_lock lock(mutex_);
        added_.wait_for(lock, kMessageDelay, [&] { return regions_.contains(number); });
    }
    return find_now(number);
}

wire::Result<std::shared_ptr<wire::Region>> RegionTable::find_now(uint32_t number) const {
    const std::lock_guard lock(mutex_);
    const auto found = regions_.find(number);
    if (found == regions_.end())
        return wire::fail(wire::Fault::kPeer, "there is no region {}", number);
    return found->second;
}

}  // namespace virtgpu::worker
