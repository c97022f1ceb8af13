#include "frontend/remote_device.h"

#include <algorithm>

#include "frontend/graph_encoder.h"
#include "frontend/view_operations.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

// A region takes whole pages and several messages.
constexpr size_t kSmallestShared = size_t{64} * 1024;

Result<std::vector<protocol::GraphTensor>> node_description(const ggml_tensor& node) {
    GraphEncoder encoder(nullptr);
    TRY(encoder.add_node(node));
    return encoder.graph().tensors;
}

}  // namespace

RemoteDevice::RemoteDevice(Connection& connection, uint32_t index, std::string name)
    : connection_(connection),
      index_(index),
      info_(connection.host().devices[index]),
      name_(std::move(name)),
      host_memory_name_(name_ + "_Host"),
      description_(info_.description + " (remote)"),
      id_(wire::format("virtgpu:{}/{}", connection.transport().name(),
                       info_.device_id.empty() ? info_.name : info_.device_id)) {}

enum ggml_backend_dev_type RemoteDevice::type() const {
    switch (info_.type) {
        case protocol::DeviceType::kIgpu:
            return GGML_BACKEND_DEVICE_TYPE_IGPU;
        // llama.cpp passes over CPU devices that are not its own, uses accelerators only with the
        // CPU's memory, and aborts where it finds a meta device that it did not make.
        case protocol::DeviceType::kMeta:
        case protocol::DeviceType::kCpu:
        case protocol::DeviceType::kAccel:
        case protocol::DeviceType::kGpu:
            break;
    }
    return GGML_BACKEND_DEVICE_TYPE_GPU;
}

RemoteDevice::Memory RemoteDevice::memory() {
    const auto reply = connection_.commands().get_device_memory({index_});
    if (!reply)
        return {info_.memory_free, info_.memory_total};
    return {reply->memory_free, reply->memory_total};
}

bool RemoteDevice::supports_op(const ggml_tensor& node) {
    // llama.cpp aborts when a device that holds its cache cannot "run" it.
    if (computes_nothing(node.op))
        return true;
    // Before the memo's lock, which another thread of a forked child's parent may hold for ever.
    // Lost: "no" for a node whose data is here makes ggml's scheduler abort; with "yes" the
    // computation fails instead.
    if (!connection_.health().check())
        return true;
    const auto answer = supported_.find_or_ask(node, [&]() -> Result<bool> {
        auto description = TRY(node_description(node));
        return TRY(connection_.commands().supports_op({index_, std::move(description)})).supported;
    });
    return answer ? *answer : answer.error().fault() == Fault::kLost;
}

bool RemoteDevice::offloads_op(const ggml_tensor& node) {
    if (computes_nothing(node.op) || !connection_.health().check())
        return false;
    const auto answer = offloaded_.find_or_ask(node, [&]() -> Result<bool> {
        auto description = TRY(node_description(node));
        return TRY(connection_.commands().offloads_op({index_, std::move(description)})).offloads;
    });
    return answer.value_or(false);
}

size_t RemoteDevice::alloc_size(const ggml_tensor& tensor) {
    const size_t bytes = ggml_nbytes(&tensor);
    if (!may_need_more_than_its_bytes(tensor) || !connection_.health().check())
        return bytes;
    const auto answer = sizes_.find_or_ask(tensor, [&]() -> Result<uint64_t> {
        auto description = TRY(node_description(tensor));
        return TRY(connection_.commands().get_alloc_size({index_, std::move(description)})).size;
    });
    return std::max<uint64_t>(answer.value_or(bytes), bytes);
}

Result<std::unique_ptr<Buffer>> RemoteDevice::allocate(size_t size) {
    if (info_.shares_memory && size >= kSmallestShared) {
        auto shared = share(size);
        if (shared || shared.error().fault() == Fault::kLost)
            return shared;
        // The host's own memory will do: regions are fewer and smaller.
        connection_.log().debug("{}: {} bytes are not shared: {}", name_, size,
                                shared.error().message());
    }
    auto addresses = TRY(AddressReservation::create(size, alignment()));
    const auto reply = connection_.commands().alloc_buffer({index_, size});
    if (!reply && reply.error().fault() == Fault::kRefused) {
        const Memory now = memory();
        return wire::fail(
            Fault::kRefused, "{} cannot allocate {:.1f} MiB ({:.1f} of {:.1f} MiB are free): {}",
            name_, static_cast<double>(size) / kMebibyte, static_cast<double>(now.free) / kMebibyte,
            static_cast<double>(now.total) / kMebibyte, reply.error().message());
    }
    const protocol::Handle handle = TRY(Result<protocol::AllocBufferReply>(reply)).buffer;
    return std::make_unique<RemoteBuffer>(*this, handle, BufferSpace(std::move(addresses)), size);
}

Result<std::unique_ptr<Buffer>> RemoteDevice::share(size_t size) {
    auto region = TRY(connection_.commands().create_region(size));
    const auto shared =
        TRY(connection_.commands().share_buffer({index_, {region->number(), 0, size}}));
    return std::make_unique<RemoteBuffer>(*this, shared.buffer, BufferSpace(std::move(region)),
                                          size);
}

Result<std::unique_ptr<Stream>> RemoteDevice::open_stream() {
    return TRY(RemoteStream::open(connection_, index_));
}

}  // namespace virtgpu::frontend
