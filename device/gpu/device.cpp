#include "device/gpu/device.h"

#include <algorithm>
#include <utility>

#include "protocol/generated/structures.h"

namespace virtgpu::gpu {

using wire::Fault;

namespace {

ResponseType response_to(Fault fault) {
    return fault == Fault::kPeer ? ResponseType::kErrorInvalidParameter
                                 : ResponseType::kErrorOutOfMemory;
}

}  // namespace

Device::Device(apir::Renderer& renderer, Window& window, const virtio::GuestMemory& memory,
               std::shared_ptr<device::PageSupply> pages, wire::Log& log, CapsetOptions capsets)
    : renderer_(renderer),
      log_(log),
      capsets_{protocol::kCapsetApir},
      pages_(std::move(pages)),
      memory_(window, pages_),
      guest_regions_(memory),
      resources_(window.size(), renderer.limits().regions) {
    if (capsets == CapsetOptions::kApirAndVenus)
        capsets_.push_back(protocol::kCapsetVenus);
    renderer_.set_room([this] { return memory_.largest_gap(); });
}

Device::~Device() {
    reset();
}

bool Device::offers(uint32_t capset) const {
    return std::find(capsets_.begin(), capsets_.end(), capset) != capsets_.end();
}

void Device::reset() {
    lifetime_ = std::make_shared<int>(0);
    timelines_.clear();
    renderer_.destroy_all_contexts();
    renderer_.take_back_guest_memory();
    memory_.reset();
    resources_.clear();
}

void Device::execute(std::span<const std::byte> bytes, const Respond& respond) {
    const auto header = decode_header(bytes);
    if (!header)
        return refuse(make_reply({}, respond), ResponseType::kErrorUnspecified,
                      header.error().message());
    const Reply reply = make_reply(*header, respond);
    const auto command = decode_command(*header, bytes);
    if (!command)
        return refuse(reply, ResponseType::kErrorInvalidParameter, command.error().message());
    std::visit([&](const auto& decoded) { handle(*header, decoded, reply); }, *command);
}

Device::Reply Device::make_reply(const Header& header, const Respond& respond) {
    const std::weak_ptr<const int> lifetime = lifetime_;
    if (!header.fenced())
        return [header, respond, lifetime](const Response& response) {
            if (!lifetime.expired())
                respond(encode_response(header, response));
        };
    const Timeline timeline =
        header.has_ring() ? Timeline{true, header.context, header.ring} : Timeline{};
    const auto ticket = timelines_.enter(timeline);
    return [this, header, respond, lifetime, ticket](const Response& response) {
        if (!lifetime.expired())
            complete(ticket,
                     [respond, bytes = encode_response(header, response)] { respond(bytes); });
    };
}

// On the time line that all processes of the guest share, nobody may wait behind those who wait for
// a ring: they are woken early, and wait anew behind us.
void Device::complete(const FenceTimelines::Ticket& ticket, FenceTimelines::Release release) {
    using Outcome = FenceTimelines::Outcome;
    const Outcome outcome = timelines_.complete(ticket, std::move(release));
    if (outcome == Outcome::kBehindOthers && !ticket.timeline.has_ring)
        renderer_.wake_waiters();
}

void Device::refuse(const Reply& reply, ResponseType type, std::string_view why) {
    log_.debug("refused with {:#x}: {}", static_cast<uint32_t>(type), why);
    reply({type});
}

void Device::handle(const Header& /*header*/, const GetDisplayInfo& /*command*/,
                    const Reply& reply) {
    reply({ResponseType::kOkDisplayInfo, encode_no_displays()});
}

void Device::handle(const Header& /*header*/, const GetCapsetInfo& command, const Reply& reply) {
    if (command.index >= capsets_.size())
        return refuse(reply, ResponseType::kErrorInvalidParameter, "no such capset");
    constexpr uint32_t kVersion = 1;
    reply({ResponseType::kOkCapsetInfo,
           encode_capset_info(capsets_[command.index], kVersion,
                              static_cast<uint32_t>(encode_capset().size()))});
}

void Device::handle(const Header& /*header*/, const GetCapset& command, const Reply& reply) {
    if (!offers(command.capset))
        return refuse(reply, ResponseType::kErrorInvalidParameter, "no such capset");
    reply({ResponseType::kOkCapset, encode_capset()});
}

void Device::handle(const Header& header, const ContextCreate& command, const Reply& reply) {
    const uint32_t capset = context_types_ ? command.context_init & kContextCapsetMask
                                           : uint32_t{protocol::kCapsetApir};
    if (!offers(capset))
        return refuse(reply, ResponseType::kErrorInvalidParameter, "context of another capset");
    if (header.context == 0)
        return refuse(reply, ResponseType::kErrorInvalidContext, "context 0");
    const auto created = renderer_.create_context(
        header.context, command.name,
        capset == protocol::kCapsetVenus ? protocol::kFirstTypeOnVenus : 0);
    if (!created) {
        log_.warning("no context for {}: {}", command.name, created.error().message());
        return reply({ResponseType::kErrorInvalidContext});
    }
    reply({});
}

void Device::handle(const Header& header, const ContextDestroy& /*command*/, const Reply& reply) {
    if (!renderer_.destroy_context(header.context))
        return refuse(reply, ResponseType::kErrorInvalidContext, "no such context");
    resources_.forget_context(header.context);
    reply({});
}

void Device::handle(const Header& header, const ContextAttachResource& command,
                    const Reply& reply) {
    apir::Context* context = renderer_.find(header.context);
    if (context == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidContext, "no such context");
    Resource* resource = resources_.find(command.resource);
    if (resource == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such resource");
    resource->contexts.insert(header.context);
    if (auto memory = resource->memory())
        context->attach(command.resource, std::move(memory));
    reply({});
}

void Device::handle(const Header& header, const ContextDetachResource& command,
                    const Reply& reply) {
    apir::Context* context = renderer_.find(header.context);
    if (context == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidContext, "no such context");
    context->detach(command.resource);
    if (Resource* resource = resources_.find(command.resource))
        resource->contexts.erase(header.context);
    reply({});
}

wire::Result<void> Device::create(const ResourceCreateBlob& command) {
    switch (static_cast<BlobMemory>(command.memory)) {
        case BlobMemory::kGuest:
            return resources_.add_guest_resource(command.resource,
                                                 TRY(guest_regions_.assemble(command.pages)));
        case BlobMemory::kHost3d:
            return resources_.add_host_blob(command.resource, command.size);
        default:
            return fail(Fault::kPeer, "blob memory of kind {}", command.memory);
    }
}

void Device::added_or_not(uint32_t number, const wire::Result<void>& added, const Reply& reply) {
    if (added)
        return reply({});
    // Like all that a guest can cause as often as it likes: warnings would fill the disk.
    log_.debug("resource {} has no memory: {}", number, added.error().message());
    reply({response_to(added.error().fault())});
}

void Device::handle(const Header& /*header*/, const ResourceCreateBlob& command,
                    const Reply& reply) {
    added_or_not(command.resource, create(command), reply);
}

void Device::handle(const Header& /*header*/, const ResourceCreate3d& command, const Reply& reply) {
    added_or_not(command.resource, resources_.add_guest_resource(command.resource), reply);
}

wire::Result<void> Device::attach_pages(const AttachBacking& command) {
    GuestResource* resource = resources_.find_guest_resource(command.resource);
    if (resource == nullptr || resource->memory)
        return fail(Fault::kPeer, "resource {} takes no pages", command.resource);
    resource->memory = TRY(guest_regions_.assemble(command.pages));
    attach_all(command.resource, *resources_.find(command.resource));
    return {};
}

void Device::handle(const Header& /*header*/, const AttachBacking& command, const Reply& reply) {
    added_or_not(command.resource, attach_pages(command), reply);
}

void Device::handle(const Header& /*header*/, const DetachBacking& command, const Reply& reply) {
    GuestResource* resource = resources_.find_guest_resource(command.resource);
    if (resource == nullptr || !resource->memory)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such pages");
    detach_all(command.resource, *resources_.find(command.resource));
    const auto memory = std::exchange(resource->memory, {});
    memory->when_free([reply] { reply({}); });
}

void Device::attach_all(uint32_t number, const Resource& resource) {
    for (const uint32_t id : resource.contexts)
        if (apir::Context* context = renderer_.find(id))
            context->attach(number, resource.memory());
}

void Device::detach_all(uint32_t number, const Resource& resource) {
    for (const uint32_t id : resource.contexts)
        if (apir::Context* context = renderer_.find(id))
            context->detach(number);
}

void Device::handle(const Header& /*header*/, const ResourceUnref& command, const Reply& reply) {
    const Resource* resource = resources_.find(command.resource);
    if (resource == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such resource");
    detach_all(command.resource, *resource);
    // With this answer the driver gives the place to another blob, or the pages to anybody.
    const auto* guest = std::get_if<GuestResource>(&resource->kind);
    if (const auto pages = guest == nullptr ? nullptr : guest->memory) {
        resources_.remove(command.resource);
        return pages->when_free([reply] { reply({}); });
    }
    const HostBlob* blob = resources_.find_host_blob(command.resource);
    const auto place = blob == nullptr ? std::nullopt : blob->place;
    resources_.remove(command.resource);
    if (!place)
        return reply({});
    memory_.when_free(*place, [reply] { reply({}); });
}

void Device::handle(const Header& /*header*/, const MapBlob& command, const Reply& reply) {
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such host blob");
    if (blob->memory || blob->coming)
        return refuse(reply, ResponseType::kErrorInvalidParameter, "the blob is mapped already");
    auto memory = memory_.claim(command.offset, blob->size);
    if (!memory) {
        log_.debug("resource {} was not mapped: {}", command.resource, memory.error().message());
        return reply({ResponseType::kErrorOutOfMemory});
    }
    blob->coming = *memory;
    blob->place = command.offset;
    const std::weak_ptr<const int> lifetime = lifetime_;
    pages_->provide(std::move(*memory), [=, this](const wire::Result<void>& result) {
        if (!lifetime.expired())
            on_pages(command, result, reply);
    });
}

// Nobody may touch the memory before: a page that the host cannot give kills who touches it.
void Device::on_pages(const MapBlob& command, const wire::Result<void>& pages, const Reply& reply) {
    // It may have been unmapped, and its number given to another, in the meantime.
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob == nullptr || !blob->coming || blob->place != command.offset)
        return reply({ResponseType::kErrorInvalidResource});
    blob->memory = std::exchange(blob->coming, nullptr);
    if (!pages) {
        log_.debug("resource {} was not mapped: {}", command.resource, pages.error().message());
        blob->memory.reset();
        return reply({ResponseType::kErrorOutOfMemory});
    }
    attach_all(command.resource, *resources_.find(command.resource));
    memory_.when_visible([this, command, reply](const wire::Result<void>& result) {
        on_visible(command, result, reply);
    });
}

void Device::on_visible(const MapBlob& command, const wire::Result<void>& result,
                        const Reply& reply) {
    if (result)
        return reply({ResponseType::kOkMapInfo, encode_map_info()});
    log_.error("resource {} was not mapped: {}", command.resource, result.error().message());
    // It may have been unmapped, and its number given to another, in the meantime.
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob != nullptr && blob->memory && blob->place == command.offset) {
        detach_all(command.resource, *resources_.find(command.resource));
        blob->memory.reset();
    }
    reply({ResponseType::kErrorUnspecified});
}

void Device::handle(const Header& /*header*/, const UnmapBlob& command, const Reply& reply) {
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such host blob");
    if (!blob->memory && !blob->coming)
        return refuse(reply, ResponseType::kErrorInvalidParameter, "the blob is not mapped");
    detach_all(command.resource, *resources_.find(command.resource));
    blob->memory.reset();
    blob->coming.reset();
    memory_.when_free(*blob->place, [reply] { reply({}); });
}

void Device::handle(const Header& header, const Submit3d& command, const Reply& reply) {
    apir::Context* context = renderer_.find(header.context);
    if (context == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidContext, "no such context");
    if (header.fenced())
        return context->submit(
            command.command, [reply] { reply({}); },
            header.has_ring() ? apir::FenceLine::kOwn : apir::FenceLine::kShared);
    // Who asked for no fence looks at the reply region.
    context->submit(command.command, {});
    reply({});
}

void Device::handle(const Header& /*header*/, const UnknownCommand& command, const Reply& reply) {
    refuse(reply, ResponseType::kErrorUnspecified,
           wire::format("command {:#x} is not supported", command.type));
}

}  // namespace virtgpu::gpu
