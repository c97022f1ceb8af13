#include "frontend/level1/upstream_stream.h"

#include "frontend/level1/upstream_buffer.h"
#include "frontend/view_operations.h"

namespace virtgpu::frontend {

using wire::Fault;
using wire::Result;

namespace {

Result<UpstreamBuffer*> buffer_in_use(const UpstreamHost& host, const ggml_tensor& tensor) {
    UpstreamBuffer* const buffer = buffer_on(host, tensor);
    if (buffer == nullptr)
        return wire::fail(Fault::kRefused, "tensor '{}' is not in a buffer of this device",
                          tensor.name);
    return buffer;
}

Result<ggml_status> ggml_status_of(protocol::GraphStatus status) {
    switch (status) {
        case protocol::GraphStatus::kSuccess:
            return GGML_STATUS_SUCCESS;
        case protocol::GraphStatus::kAborted:
            return GGML_STATUS_ABORTED;
        case protocol::GraphStatus::kAllocFailed:
            return wire::fail(Fault::kRefused, "the host has not enough memory for it");
        case protocol::GraphStatus::kFailed:
            break;
    }
    return wire::fail(Fault::kRefused, "the host could not compute it; its log may say why");
}

}  // namespace

UpstreamStream::UpstreamStream(UpstreamHost& host)
    : host_(host),
      encoder_([&host](const ggml_tensor& tensor) { return place_on(host, tensor); }) {}

Result<ggml_status> UpstreamStream::compute(ggml_cgraph& graph) {
    if (unwanted_ && unwanted_())
        return GGML_STATUS_ABORTED;
    encoder_.clear();
    for (int i = 0; i < ggml_graph_n_nodes(&graph); ++i) {
        const ggml_tensor& node = *ggml_graph_node(&graph, i);
        // Views of another backend's data, which the scheduler passes over where it cuts graphs.
        if (computes_nothing(node.op) && buffer_on(host_, node) == nullptr)
            continue;
        TRY(encoder_.add_node(node));
    }
    if (encoder_.graph().nodes.empty())
        return GGML_STATUS_SUCCESS;
    writer_.clear();
    TRY(encode(writer_, encoder_.graph()));
    const auto exchange = TRY(host_.exchange(writer_.bytes().size()));
    TRY(exchange.memory().copy_in(0, writer_.bytes()));
    return ggml_status_of(
        TRY(host_.commands().backend_graph_compute({exchange.region(), writer_.bytes().size()}))
            .status);
}

Result<void> UpstreamStream::set_tensor(const ggml_tensor& tensor, size_t offset,
                                        std::span<const std::byte> from) {
    return TRY(buffer_in_use(host_, tensor))->set_tensor(tensor, offset, from);
}

Result<void> UpstreamStream::get_tensor(const ggml_tensor& tensor, size_t offset,
                                        std::span<std::byte> to) {
    return TRY(buffer_in_use(host_, tensor))->get_tensor(tensor, offset, to);
}

Result<bool> UpstreamStream::copy_tensor(Stream& /*reader*/, const ggml_tensor& from,
                                         const ggml_tensor& to) {
    return TRY(buffer_in_use(host_, to))->copy_tensor(*TRY(buffer_in_use(host_, from)), from, to);
}

}  // namespace virtgpu::frontend
