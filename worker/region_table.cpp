#include "worker/region_table.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

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

wire::Result<std::shared_ptr<wire::Region>> map_file(
    const protocol::WorkerAddRegionRequest& request, int file) {
    TRY(check_file(file, request.offset, request.size));
    return wire::map_region(file, request.size, static_cast<int64_t>(request.offset));
}

wire::Result<std::shared_ptr<wire::Region>> map_listed(
    const wire::FileDescriptor& piece_list, std::span<const wire::FileDescriptor> files) {
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
    return wire::map_pieces(pieces);
}

}  // namespace

wire::Result<void> RegionTable::add(const protocol::WorkerAddRegionRequest& request,
                                    const wire::FileDescriptor& file, wire::FileDescriptor loan) {
    return keep(request.region, borrow(map_file(request, file.number()), std::move(loan)));
}

wire::Result<void> RegionTable::add_guests(uint32_t number, const wire::FileDescriptor& piece_list,
                                           std::span<const wire::FileDescriptor> files,
                                           wire::FileDescriptor loan) {
    return keep(number, borrow(map_listed(piece_list, files), std::move(loan)));
}

RegionTable::Entry RegionTable::borrow(Entry mapped, wire::FileDescriptor loan) const {
    std::shared_ptr<wire::Region> memory = TRY(std::move(mapped));
    auto pinned = pinning_->pin(TRY(memory->bulk(0, memory->size())));
    const auto borrowed = std::make_shared<BorrowedRegion>(
        BorrowedRegion{std::move(loan), pinning_, std::move(memory), std::move(pinned)});
    return std::shared_ptr<wire::Region>(borrowed, borrowed->region.get());
}

wire::Result<void> RegionTable::keep(uint32_t number, const Entry& region) {
    // The guest has the region, and may name it.
    const Entry entry = region
                            ? region
                            : wire::fail(wire::Fault::kRefused, "the host cannot use region {}: {}",
                                         number, region.error().message());
    {
        const std::lock_guard lock(mutex_);
        const auto known = regions_.find(number);
        if (known != regions_.end() && known->second)
            return wire::fail(wire::Fault::kSystem, "region {} exists", number);
        regions_.insert_or_assign(number, entry);
    }
    added_.notify_all();
    if (!region)
        return tl::unexpected(region.error());
    return {};
}

void RegionTable::remove(uint32_t number) {
    std::optional<Entry> removed;  // unmapped outside the lock
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
