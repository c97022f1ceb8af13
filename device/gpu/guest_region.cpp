#include "device/gpu/guest_region.h"

#include <algorithm>
#include <utility>

#include "device/limits.h"
#include "protocol/generated/structures.h"

namespace virtgpu::gpu {

using device::FilePiece;
using wire::Fault;

GuestRegion::GuestRegion(Files files, std::vector<FilePiece> pieces, uint64_t size, Freed freed)
    : RegionMemory(Owner::kGuest, size), files_(std::move(files)), pieces_(std::move(pieces)) {
    waiters_.push_back(std::move(freed));
}

GuestRegion::~GuestRegion() {
    for (const Freed& freed : waiters_)
        freed();
}

Result<std::shared_ptr<const GuestRegion>> GuestRegions::assemble(std::span<const PageRun> pages) {
    GuestRegion::Files files;
    std::vector<FilePiece> pieces;
    uint64_t size = 0;
    for (const PageRun& run : pages) {
        auto place = TRY(memory_.place_in_file(run.address, run.size));
        const int file = place.file->number();
        size += run.size;
        if (!pieces.empty() && pieces.back().file == file &&
            pieces.back().offset + pieces.back().size == place.offset) {
            pieces.back().size += run.size;
            continue;
        }
        pieces.push_back({file, place.offset, run.size});
        if (std::find(files.begin(), files.end(), place.file) == files.end())
            files.push_back(std::move(place.file));
    }
    if (pieces.empty() || size > protocol::kMaxRegionBytes)
        return fail(Fault::kRefused, "a region of {} bytes of guest memory", size);
    if (pieces.size() > protocol::kMaxPieces - *in_use_)
        return fail(Fault::kRefused, "{} pieces of guest memory; {} of {} are in use",
                    pieces.size(), *in_use_, protocol::kMaxPieces);
    *in_use_ += pieces.size();
    auto freed = [in_use = in_use_, count = pieces.size()] { *in_use -= count; };
    return std::make_shared<const GuestRegion>(std::move(files), std::move(pieces), size,
                                               std::move(freed));
}

}  // namespace virtgpu::gpu
