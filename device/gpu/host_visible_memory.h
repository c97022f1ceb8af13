// What lies behind the host-visible window: one file, of which mapped blobs are parts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "device/gpu/window.h"
#include "device/page_supply.h"
#include "device/sealed_memory.h"

namespace virtgpu::gpu {

// The VMM maps the file once, when the first blob is mapped, and keeps it until the device is
// reset. Mapping each blob by itself is no alternative: QEMU 11.1 knows at most 512 memory regions,
// and aborts when there are more; the protocol that allows more than 8 lets it crash at a reset.
class HostVisibleMemory {
 public:
    using Done = std::function<void(wire::Result<void>)>;
    using Freed = std::function<void()>;

    HostVisibleMemory(Window& window, std::shared_ptr<device::PageSupply> pages)
        : window_(window), pages_(std::move(pages)) {}

    // Bytes of the largest blob that there is a place for.
    uint64_t largest_gap() const;
    // Memory for a blob at a place in the window, whose pages are not there yet. Fault::kRefused
    // when it cannot lie there, because others do or did until now.
    wire::Result<device::SharedMemory> claim(uint64_t offset, uint64_t size);
    // `done` is called later, when the guest sees what was claimed.
    void when_visible(Done done);
    // Calls `freed` when nobody uses the memory that was claimed at `offset` any more, maybe at
    // once. Until then the guest must not use the place for anything else: a worker may still write
    // there.
    void when_free(uint64_t offset, Freed freed);
    // The guest is another one from now on. Memory that is still used keeps its file for itself.
    void reset();

 private:
    enum class Visibility { kNone, kComing, kThere };
    struct Place {
        uint64_t size = 0;
        std::vector<Freed> waiters{};
    };
    using Places = std::map<uint64_t, Place>;

    wire::Result<void> check(uint64_t offset, uint64_t size) const;
    void mapped(const wire::Result<void>& result);

    Window& window_;
    std::shared_ptr<device::PageSupply> pages_;
    std::shared_ptr<const device::SealedFile> file_;
    // Shared with the memory that was claimed, which may outlive a reset.
    std::shared_ptr<Places> places_ = std::make_shared<Places>();
    Visibility visibility_ = Visibility::kNone;
    std::vector<Done> waiters_;
};

}  // namespace virtgpu::gpu
