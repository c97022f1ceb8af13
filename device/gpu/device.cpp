#include "device/gpu/device.h"

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

Device::Device(apir::Renderer& renderer, Window& window, uint64_t memory_limit, wire::Log& log)
    : renderer_(renderer), window_(window), log_(log), resources_(memory_limit) {}

Device::~Device() {
    reset();
}

void Device::reset() {
    lifetime_ = std::make_shared<int>(0);
    timelines_.clear();
    renderer_.destroy_all_contexts();
    window_.forget_all();
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
            timelines_.complete(
                ticket, [respond, bytes = encode_response(header, response)] { respond(bytes); });
    };
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
    if (command.index >= kCapsets)
        return refuse(reply, ResponseType::kErrorInvalidParameter, "no such capset");
    constexpr uint32_t kVersion = 1;
    reply({ResponseType::kOkCapsetInfo,
           encode_capset_info(protocol::kCapsetApir, kVersion,
                              static_cast<uint32_t>(encode_capset().size()))});
}

void Device::handle(const Header& /*header*/, const GetCapset& command, const Reply& reply) {
    if (command.capset != protocol::kCapsetApir)
        return refuse(reply, ResponseType::kErrorInvalidParameter, "no such capset");
    reply({ResponseType::kOkCapset, encode_capset()});
}

void Device::handle(const Header& header, const ContextCreate& command, const Reply& reply) {
    if ((command.context_init & kContextCapsetMask) != protocol::kCapsetApir)
        return refuse(reply, ResponseType::kErrorInvalidParameter, "context of another capset");
    if (header.context == 0)
        return refuse(reply, ResponseType::kErrorInvalidContext, "context 0");
    const auto created = renderer_.create_context(header.context, command.name);
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
    if (const auto* blob = std::get_if<HostBlob>(&resource->memory))
        context->attach(command.resource, blob->memory);
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

void Device::handle(const Header& /*header*/, const ResourceCreateBlob& command,
                    const Reply& reply) {
    const auto added = [&]() -> wire::Result<void> {
        switch (static_cast<BlobMemory>(command.memory)) {
            case BlobMemory::kGuest:
                return resources_.add_guest_blob(command.resource, command.pages);
            case BlobMemory::kHost3d:
                return resources_.add_host_blob(command.resource, command.size);
            default:
                return fail(Fault::kPeer, "blob memory of kind {}", command.memory);
        }
    }();
    if (!added) {
        // Like all that a guest can cause as often as it likes: warnings would fill the disk.
        log_.debug("resource {} was not created: {}", command.resource, added.error().message());
        return reply({response_to(added.error().fault())});
    }
    reply({});
}

void Device::handle(const Header& /*header*/, const ResourceUnref& command, const Reply& reply) {
    Resource* resource = resources_.find(command.resource);
    if (resource == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such resource");
    for (const uint32_t number : resource->contexts)
        if (apir::Context* context = renderer_.find(number))
            context->detach(command.resource);
    if (HostBlob* blob = resources_.find_host_blob(command.resource); blob && blob->mapped_at)
        unmap(*blob, [](const Response&) {});
    resources_.remove(command.resource);
    reply({});
}

void Device::handle(const Header& /*header*/, const MapBlob& command, const Reply& reply) {
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such host blob");
    if (const auto placed = resources_.place(*blob, command.offset, window_.size()); !placed) {
        log_.debug("resource {} was not mapped: {}", command.resource, placed.error().message());
        return reply({ResponseType::kErrorInvalidParameter});
    }
    window_.map(command.offset, blob->memory,
                [this, command, reply](const wire::Result<void>& result) {
                    on_mapped(command, result, reply);
                });
}

void Device::on_mapped(const MapBlob& command, const wire::Result<void>& result,
                       const Reply& reply) {
    if (result)
        return reply({ResponseType::kOkMapInfo, encode_map_info()});
    log_.error("resource {} was not mapped: {}", command.resource, result.error().message());
    // It may have been unmapped, and its number given to another, in the meantime.
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob != nullptr && blob->mapped_at == command.offset)
        resources_.displace(*blob);
    reply({ResponseType::kErrorUnspecified});
}

void Device::unmap(HostBlob& blob, const Reply& reply) {
    const uint64_t offset = resources_.displace(blob);
    window_.unmap(offset, blob.memory, [this, reply](const wire::Result<void>& result) {
        if (!result)
            log_.error("a blob was not unmapped: {}", result.error().message());
        reply({result ? ResponseType::kOkNoData : ResponseType::kErrorUnspecified});
    });
}

void Device::handle(const Header& /*header*/, const UnmapBlob& command, const Reply& reply) {
    HostBlob* blob = resources_.find_host_blob(command.resource);
    if (blob == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidResource, "no such host blob");
    if (!blob->mapped_at)
        return refuse(reply, ResponseType::kErrorInvalidParameter, "the blob is not mapped");
    unmap(*blob, reply);
}

void Device::handle(const Header& header, const Submit3d& command, const Reply& reply) {
    apir::Context* context = renderer_.find(header.context);
    if (context == nullptr)
        return refuse(reply, ResponseType::kErrorInvalidContext, "no such context");
    if (header.fenced() && header.has_ring())
        return context->submit(command.command, [reply] { reply({}); });
    // Nobody may wait on the time line that all processes of the guest share for a ring of its own,
    // and who asked for no fence looks at the reply region.
    context->submit(command.command, {});
    reply({});
}

void Device::handle(const Header& /*header*/, const UnknownCommand& command, const Reply& reply) {
    refuse(reply, ResponseType::kErrorUnspecified,
           fmt::format("command {:#x} is not supported", command.type));
}

}  // namespace virtgpu::gpu
