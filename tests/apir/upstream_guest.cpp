#include "tests/apir/upstream_guest.h"

#include <atomic>
#include <chrono>
#include <ctime>
#include <unordered_set>

namespace virtgpu::test {

namespace {

constexpr size_t kReplyBytes = 0x4000;
constexpr uint32_t kMagic = 0xab1e;
constexpr uint32_t kForwardSuccess = 4;
// Upstream waits for ever; a test must end.
constexpr std::chrono::seconds kPatience(120);

size_t granules(size_t size) {
    return (size + 16383) / 16384 * 16384;
}

}  // namespace

UpstreamGuest::UpstreamGuest(GuestDevice& device, uint32_t minor)
    : device_(device),
      minor_(minor),
      reply_(device.create_blob(kReplyBytes)),
      data_(device.create_blob(kDataBytes)) {}

UpstreamGuest::~UpstreamGuest() {
    device_.destroy_blob(data_);
    device_.destroy_blob(reply_);
}

uint32_t UpstreamGuest::submit_and_wait(int32_t command_type, uint32_t flags,
                                        std::span<const std::byte> arguments) {
    Encoder command;
    command.number(command_type + device_.first_type()).number(flags).number(reply_.resource);
    command.raw(arguments.data(), arguments.size());
    const std::atomic_ref word(*reinterpret_cast<uint32_t*>(reply_.memory));
    word.store(0);
    device_.submit(command.bytes());
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        if (const uint32_t value = word.load(std::memory_order_acquire); value != 0)
            return value;
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("no answer");
        const timespec pause{0, 15'000};
        ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
    }
}

uint32_t UpstreamGuest::raw_call(uint32_t command, std::span<const std::byte> arguments) {
    return submit_and_wait(2, command, arguments);
}

Decoder UpstreamGuest::call(UpstreamCommand command, const Encoder& arguments) {
    const uint32_t code = raw_call(static_cast<uint32_t>(command), arguments.bytes()) - 1;
    if (code != kForwardSuccess)
        throw Aborted("FORWARD " + std::to_string(static_cast<uint32_t>(command)) + " returned " +
                      std::to_string(code));
    return Decoder(reply());
}

void UpstreamGuest::start() {
    Encoder versions;
    versions.number(uint32_t{0}).number(minor_);
    if (submit_and_wait(0, 0, versions.bytes()) - 1 != kMagic)
        throw Aborted("HANDSHAKE");
    Decoder handshake(reply());
    if (handshake.number<uint32_t>() != 0)
        throw Aborted("the host's major version");
    host_minor = handshake.number<uint32_t>();
    if (const uint32_t code = submit_and_wait(1, 0, {}) - 1; code != 0)
        throw Aborted("LOADLIBRARY returned " + std::to_string(code));

    description = call(UpstreamCommand::kDeviceDescription).string();
    const auto count = call(UpstreamCommand::kDeviceCount).number<int32_t>();
    if (count != 1)
        throw Aborted(std::to_string(count) + " devices");
    type = call(UpstreamCommand::kDeviceType).number<uint32_t>();
    name = call(UpstreamCommand::kDeviceName).string();
    Decoder memory = call(UpstreamCommand::kDeviceMemory);
    memory_free = memory.number<uint64_t>();
    memory_total = memory.number<uint64_t>();
    buffer_type = call(UpstreamCommand::kBufferType).number<uint64_t>();
    const Encoder which = Encoder().number(buffer_type);
    buffer_type_name = call(UpstreamCommand::kBufferTypeName, which).string();
    alignment = call(UpstreamCommand::kBufferTypeAlignment, which).number<uint64_t>();
    max_size = call(UpstreamCommand::kBufferTypeMaxSize, which).number<uint64_t>();
}

bool UpstreamGuest::wants_zero_copy() {
    Decoder props = call(UpstreamCommand::kDeviceProps);
    props.boolean();  // async
    props.boolean();  // host_buffer
    const bool from_pointer = props.boolean();
    props.boolean();  // events
    if (minor_ >= 2)
        mmap_support = props.boolean();
    return from_pointer;
}

GuestBuffer UpstreamGuest::allocate(size_t size) {
    GuestBuffer buffer;
    if (wants_zero_copy()) {
        buffer.blob = device_.create_blob(granules(size));
        Decoder made = call(
            UpstreamCommand::kBufferFromPtr,
            Encoder().number(buffer.blob->resource).number(uint64_t{size}).number(uint64_t{size}));
        buffer.handle = made.number<uint64_t>();
        buffer.base = reinterpret_cast<uintptr_t>(buffer.blob->memory);
        return buffer;
    }
    buffer.handle =
        call(UpstreamCommand::kAllocBuffer, Encoder().number(buffer_type).number(uint64_t{size}))
            .number<uint64_t>();
    buffer.base =
        call(UpstreamCommand::kBufferBase, Encoder().number(buffer.handle)).number<uint64_t>();
    return buffer;
}

void UpstreamGuest::free(const GuestBuffer& buffer) {
    call(UpstreamCommand::kFreeBuffer, Encoder().number(buffer.handle));
}

class UpstreamGuest::Transfer {
 public:
    Transfer(UpstreamGuest& guest, size_t size)
        : guest_(guest),
          own_(size > kDataBytes),
          blob_(own_ ? guest.device_.create_blob(granules(size)) : guest.data_) {}
    ~Transfer() {
        if (own_)
            guest_.device_.destroy_blob(blob_);
    }
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    const Blob& blob() const { return blob_; }

 private:
    UpstreamGuest& guest_;
    const bool own_;
    Blob blob_;
};

void UpstreamGuest::set(const GuestBuffer& buffer, const ggml_tensor* tensor, const PlaceOf& place,
                        const void* data, uint64_t offset, size_t size) {
    const RpcTensor encoded = encode(tensor, place);
    if (buffer.blob) {
        std::memcpy(buffer.blob->memory + encoded.data + offset, data, size);
        return;
    }
    const Transfer transfer(*this, size);
    std::memcpy(transfer.blob().memory, data, size);
    call(UpstreamCommand::kSetTensor, Encoder()
                                          .number(buffer.handle)
                                          .raw(&encoded, sizeof encoded)
                                          .number(transfer.blob().resource)
                                          .number(offset)
                                          .number(uint64_t{size}));
}

void UpstreamGuest::get(const GuestBuffer& buffer, const ggml_tensor* tensor, const PlaceOf& place,
                        void* data, uint64_t offset, size_t size) {
    const RpcTensor encoded = encode(tensor, place);
    if (buffer.blob) {
        std::memcpy(data, buffer.blob->memory + encoded.data + offset, size);
        return;
    }
    const Transfer transfer(*this, size);
    call(UpstreamCommand::kGetTensor, Encoder()
                                          .number(buffer.handle)
                                          .raw(&encoded, sizeof encoded)
                                          .number(transfer.blob().resource)
                                          .number(offset)
                                          .number(uint64_t{size}));
    std::memcpy(data, transfer.blob().memory, size);
}

bool UpstreamGuest::copy(const GuestBuffer& destination, const ggml_tensor* from,
                         const ggml_tensor* to, const PlaceOf& place) {
    const RpcTensor source = encode(from, place);
    const RpcTensor target = encode(to, place);
    return call(UpstreamCommand::kCpyTensor, Encoder()
                                                 .number(destination.handle)
                                                 .raw(&source, sizeof source)
                                                 .raw(&target, sizeof target))
        .boolean();
}

void UpstreamGuest::clear(const GuestBuffer& buffer, uint8_t value) {
    call(UpstreamCommand::kClear, Encoder().number(buffer.handle).byte(value));
}

int32_t UpstreamGuest::compute(ggml_cgraph* graph, const PlaceOf& place) {
    return compute(encode(graph, place));
}

int32_t UpstreamGuest::compute(std::span<const std::byte> encoded_graph) {
    const Transfer transfer(*this, encoded_graph.size());
    std::memcpy(transfer.blob().memory, encoded_graph.data(), encoded_graph.size());
    return call(UpstreamCommand::kGraphCompute,
                Encoder().number(transfer.blob().resource).number(uint64_t{encoded_graph.size()}))
        .number<int32_t>();
}

void UpstreamGuest::encode_node(Encoder& encoder, const ggml_tensor* tensor) {
    encoder.raw(tensor, sizeof *tensor);
    // Upstream writes the address of the variable that holds the handle.
    const void* const handle = tensor->buffer;
    const void* const address = &handle;
    if (tensor->buffer != nullptr)
        encoder.raw(&address, sizeof address);
    if (tensor->view_src != nullptr)
        encoder.raw(tensor->view_src, sizeof *tensor);
    for (const ggml_tensor* const* source = tensor->src;
         source != tensor->src + GGML_MAX_SRC && *source != nullptr; ++source)
        encoder.raw(*source, sizeof *tensor);
}

uint64_t UpstreamGuest::alloc_size(const ggml_tensor* tensor) {
    Encoder arguments = Encoder().number(buffer_type);
    encode_node(arguments, tensor);
    return call(UpstreamCommand::kAllocSize, arguments).number<uint64_t>();
}

bool UpstreamGuest::supports_op(const ggml_tensor* tensor) {
    Encoder arguments;
    encode_node(arguments, tensor);
    return call(UpstreamCommand::kSupportsOp, arguments).boolean();
}

RpcTensor UpstreamGuest::encode(const ggml_tensor* tensor, const PlaceOf& place) {
    const auto id_of = [](const ggml_tensor* of) { return reinterpret_cast<uintptr_t>(of); };
    RpcTensor encoded;
    std::memset(&encoded, 0xdc, sizeof encoded);  // what the padding holds is anybody's guess
    const Placed placed = place(tensor);
    encoded.id = id_of(tensor);
    encoded.type = tensor->type;
    encoded.buffer = placed.buffer;
    for (int i = 0; i < GGML_MAX_DIMS; ++i) {
        encoded.ne[i] = static_cast<uint32_t>(tensor->ne[i]);
        encoded.nb[i] = static_cast<uint32_t>(tensor->nb[i]);
    }
    encoded.op = tensor->op;
    std::memcpy(encoded.op_params, tensor->op_params, sizeof encoded.op_params);
    encoded.flags = tensor->flags;
    for (int i = 0; i < GGML_MAX_SRC; ++i)
        encoded.src[i] = id_of(tensor->src[i]);
    encoded.view_src = id_of(tensor->view_src);
    encoded.view_offs = tensor->view_offs;
    encoded.data = placed.offset;
    std::memset(encoded.name, 0, sizeof encoded.name);
    std::memcpy(encoded.name, tensor->name, std::strlen(tensor->name));
    return encoded;
}

std::vector<std::byte> UpstreamGuest::encode(ggml_cgraph* graph, const PlaceOf& place) {
    std::vector<RpcTensor> tensors;
    std::unordered_set<const ggml_tensor*> seen;
    const std::function<void(const ggml_tensor*)> add = [&](const ggml_tensor* tensor) {
        if (tensor == nullptr || !seen.insert(tensor).second)
            return;
        for (const ggml_tensor* const source : tensor->src)
            add(source);
        add(tensor->view_src);
        tensors.push_back(encode(tensor, place));
    };
    const auto nodes = static_cast<uint32_t>(ggml_graph_n_nodes(graph));
    std::vector<std::byte> encoded;
    const auto append = [&encoded](const void* bytes, size_t size) {
        const auto* const begin = static_cast<const std::byte*>(bytes);
        encoded.insert(encoded.end(), begin, begin + size);
    };
    append(&nodes, sizeof nodes);
    for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
        const uint64_t id = reinterpret_cast<uintptr_t>(ggml_graph_node(graph, i));
        append(&id, sizeof id);
        add(ggml_graph_node(graph, i));
    }
    const auto count = static_cast<uint32_t>(tensors.size());
    append(&count, sizeof count);
    append(tensors.data(), tensors.size() * sizeof(RpcTensor));
    return encoded;
}

}  // namespace virtgpu::test
