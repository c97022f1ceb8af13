// The virtio-gpu device without a transport: control commands in, responses out.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "device/apir/renderer.h"
#include "device/gpu/command.h"
#include "device/gpu/fence_timelines.h"
#include "device/gpu/guest_region.h"
#include "device/gpu/host_visible_memory.h"
#include "device/gpu/resources.h"
#include "device/gpu/response.h"
#include "device/gpu/window.h"
#include "wire/log.h"

namespace virtgpu::gpu {

enum class CapsetOptions {
    kApir,
    // A Vulkan program of the guest may then wait for us for ever: see docs/decisions/0008.
    kApirAndVenus,
};

class Device {
 public:
    using Respond = std::function<void(std::vector<std::byte>)>;

    // All references must outlive the device.
    Device(apir::Renderer& renderer, Window& window, const virtio::GuestMemory& memory,
           std::shared_ptr<device::PageSupply> pages, wire::Log& log,
           CapsetOptions capsets = CapsetOptions::kApir);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    // What the guest's driver and the VMM have agreed on. Without context types all contexts are
    // APIR's, and all their fences are on one time line.
    void negotiate(bool context_types) { context_types_ = context_types; }
    // Carries out one command, a private copy of the guest's bytes. `respond` is called once, at
    // once or later; never after a reset.
    void execute(std::span<const std::byte> command, const Respond& respond);
    // Contexts, resources, mappings and fences are gone afterwards, and nobody of ours writes to
    // the guest's memory any more.
    void reset();
    // The VM is paused, or about to be reset: until resume() its memory is left alone.
    void pause() { renderer_.pause_workers(); }
    void resume() { renderer_.resume_workers(); }
    uint32_t capsets() const { return static_cast<uint32_t>(capsets_.size()); }
    bool has_nothing() const { return resources_.size() == 0 && timelines_.empty(); }

 private:
    bool offers(uint32_t capset) const;
    // Ends the command. Must be called exactly once.
    using Reply = std::function<void(Response)>;

    void handle(const Header& header, const GetDisplayInfo& command, const Reply& reply);
    void handle(const Header& header, const GetCapsetInfo& command, const Reply& reply);
    void handle(const Header& header, const GetCapset& command, const Reply& reply);
    void handle(const Header& header, const ContextCreate& command, const Reply& reply);
    void handle(const Header& header, const ContextDestroy& command, const Reply& reply);
    void handle(const Header& header, const ContextAttachResource& command, const Reply& reply);
    void handle(const Header& header, const ContextDetachResource& command, const Reply& reply);
    void handle(const Header& header, const ResourceCreate3d& command, const Reply& reply);
    void handle(const Header& header, const AttachBacking& command, const Reply& reply);
    void handle(const Header& header, const DetachBacking& command, const Reply& reply);
    void handle(const Header& header, const ResourceCreateBlob& command, const Reply& reply);
    void handle(const Header& header, const ResourceUnref& command, const Reply& reply);
    void handle(const Header& header, const MapBlob& command, const Reply& reply);
    void handle(const Header& header, const UnmapBlob& command, const Reply& reply);
    void handle(const Header& header, const Submit3d& command, const Reply& reply);
    void handle(const Header& header, const UnknownCommand& command, const Reply& reply);

    Reply make_reply(const Header& header, const Respond& respond);
    void refuse(const Reply& reply, ResponseType type, std::string_view why);
    wire::Result<void> create(const ResourceCreateBlob& command);
    wire::Result<void> attach_pages(const AttachBacking& command);
    void complete(const FenceTimelines::Ticket& ticket, FenceTimelines::Release release);
    void on_pages(const MapBlob& command, const wire::Result<void>& pages, const Reply& reply);
    void on_visible(const MapBlob& command, const wire::Result<void>& result, const Reply& reply);
    void added_or_not(uint32_t number, const wire::Result<void>& added, const Reply& reply);
    void attach_all(uint32_t number, const Resource& resource);
    void detach_all(uint32_t number, const Resource& resource);

    apir::Renderer& renderer_;
    wire::Log& log_;
    std::vector<uint32_t> capsets_;
    bool context_types_ = true;
    std::shared_ptr<device::PageSupply> pages_;
    HostVisibleMemory memory_;
    GuestRegions guest_regions_;
    Resources resources_;
    FenceTimelines timelines_;
    // Responses from before a reset are dropped: they hold the lifetime that was current then.
    std::shared_ptr<const int> lifetime_ = std::make_shared<int>(0);
};

}  // namespace virtgpu::gpu
