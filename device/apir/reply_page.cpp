#include "device/apir/reply_page.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <cstring>

namespace virtgpu::apir {

using wire::Fault;
using wire::Result;

Result<void> write_reply(const device::RegionMemory& region, uint32_t code,
                         std::span<const std::byte> payload) {
    const size_t size = sizeof(uint32_t) + payload.size();
    const device::FilePiece& piece = region.pieces().front();
    if (size > piece.size)
        return fail(Fault::kPeer, "a reply of {} bytes for a region of {}", size, piece.size);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, piece.file,
                          static_cast<off_t>(piece.offset));
    if (memory == MAP_FAILED)
        return wire::system_failure(errno, "mapping a reply region");
    auto* bytes = static_cast<std::byte*>(memory);
    if (!payload.empty())
        std::memcpy(bytes + sizeof(uint32_t), payload.data(), payload.size());
    std::atomic_ref(*static_cast<uint32_t*>(memory)).store(1 + code, std::memory_order_release);
    ::munmap(memory, size);
    return {};
}

}  // namespace virtgpu::apir
