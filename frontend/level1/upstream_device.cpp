#include "frontend/level1/upstream_device.h"

#include <algorithm>
#include <bit>

#include "frontend/level1/upstream_buffer.h"
#include "frontend/level1/upstream_stream.h"
#include "frontend/view_operations.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

UpstreamDevice::UpstreamDevice(UpstreamHost& host, std::string name)
    : host_(host), name_(std::move(name)), description_("APIR (remote)") {
    if (const auto asked = ask(); !asked)
        host_.log().warning("{}: {}", name_, asked.error().message());
    if (id_.empty())
        id_ = wire::format("virtgpu:{}/apir", host_.transport_name());
}

// In the order in which upstream's frontend asks.
Result<void> UpstreamDevice::ask() {
    ForwardStubs& commands = host_.commands();
    description_ = TRY(commands.device_get_description()).description + " (remote)";
    if (TRY(commands.device_get_type()).type == protocol::DeviceType::kIgpu)
        type_ = GGML_BACKEND_DEVICE_TYPE_IGPU;
    id_ =
        wire::format("virtgpu:{}/{}", host_.transport_name(), TRY(commands.device_get_name()).name);
    buffer_type_ = TRY(commands.device_get_buffer_type()).buffer_type;
    const uint64_t alignment = TRY(commands.buffer_type_get_alignment({buffer_type_})).alignment;
    if (!std::has_single_bit(alignment))
        return host_.health().lose(
            wire::format("the host aligns its buffers to {} bytes", alignment));
    alignment_ = alignment;
    const uint64_t largest = TRY(commands.buffer_type_get_max_size({buffer_type_})).max_size;
    max_buffer_size_ = largest == 0 ? SIZE_MAX : largest;
    return {};
}

UpstreamDevice::Memory UpstreamDevice::memory() {
    const auto reply = host_.commands().device_get_memory();
    return reply ? Memory{reply->memory_free, reply->memory_total} : Memory{};
}

// As with level 2, a lost host supports all, and computes nothing.
bool UpstreamDevice::supports_op(const ggml_tensor& node) {
    if (computes_nothing(node.op) || !host_.health().check())
        return true;
    const auto answer = supported_.find_or_ask(node, [&]() -> Result<bool> {
        return TRY(host_.commands().device_supports_op({forward_node(node)})).supported;
    });
    return answer ? *answer : answer.error().fault() == Fault::kLost;
}

size_t UpstreamDevice::alloc_size(const ggml_tensor& tensor) {
    const size_t bytes = ggml_nbytes(&tensor);
    if (!may_need_more_than_its_bytes(tensor) || !host_.health().check())
        return bytes;
    const auto answer = sizes_.find_or_ask(tensor, [&]() -> Result<uint64_t> {
        return TRY(host_.commands().buffer_type_get_alloc_size(
                       {buffer_type_, forward_node(tensor)}))
            .size;
    });
    return std::max<uint64_t>(answer.value_or(bytes), bytes);
}

Result<std::unique_ptr<Buffer>> UpstreamDevice::allocate(size_t size) {
    // Asked each time, as upstream's frontend does: the host may choose anew.
    if (TRY(host_.commands().device_get_props()).buffer_from_host_ptr) {
        auto shared = share(size);
        if (shared || shared.error().fault() == Fault::kLost)
            return shared;
        host_.log().debug("{}: {} bytes are not shared: {}", name_, size, shared.error().message());
    }
    auto addresses = TRY(AddressReservation::create(size, alignment_));
    const uint64_t handle =
        TRY(host_.commands().buffer_type_alloc_buffer({buffer_type_, size})).buffer;
    // Both are what hosts answer that have no memory: upstream's, and ours.
    if (handle == 0 || handle == UINT64_MAX)
        return wire::fail(Fault::kRefused, "{} cannot allocate {} bytes", name_, size);
    return std::make_unique<UpstreamBuffer>(host_, handle, BufferSpace(std::move(addresses)), size);
}

Result<std::unique_ptr<Buffer>> UpstreamDevice::share(size_t size) {
    auto region = TRY(host_.create_region(size));
    const uint64_t handle =
        TRY(host_.commands().device_buffer_from_ptr({region->number(), size, size})).buffer;
    if (handle == 0 || handle == UINT64_MAX)
        return wire::fail(Fault::kRefused, "the host cannot use the region");
    return std::make_unique<UpstreamBuffer>(host_, handle, BufferSpace(std::move(region)), size);
}

Result<std::unique_ptr<Stream>> UpstreamDevice::open_stream() {
    return std::make_unique<UpstreamStream>(host_);
}

}  // namespace virtgpu::frontend
