// A graph of one buffer, in a guest with upstream's frontend and by ggml itself.
#pragma once

#include "tests/apir/upstream_guest.h"
#include "tests/unit/backend/native_graph.h"

namespace virtgpu::test {

using backend::NativeGraph;

class GuestGraph {
 public:
    GuestGraph(UpstreamGuest& guest, const std::function<ggml_tensor*(ggml_context*)>& build)
        : native(build), buffer(guest.allocate(native.size())), guest_(guest) {}

    PlaceOf place() {
        return [this](const ggml_tensor* tensor) {
            return Placed{buffer.handle, native.offset_of(tensor)};
        };
    }
    // Everything that the graph reads, tensor by tensor as llama.cpp loads its weights.
    void send_inputs() {
        for (const ggml_tensor* tensor : native.leaves())
            guest_.set(buffer, tensor, place(), tensor->data, 0, ggml_nbytes(tensor));
    }
    int32_t compute() { return guest_.compute(native.graph, place()); }
    std::vector<std::byte> result() {
        std::vector<std::byte> bytes(ggml_nbytes(native.result));
        guest_.get(buffer, native.result, place(), bytes.data(), 0, bytes.size());
        return bytes;
    }
    // What ggml itself makes of it.
    std::vector<std::byte> expected() {
        if (native.compute() != GGML_STATUS_SUCCESS)
            return {};
        const auto* const bytes = static_cast<const std::byte*>(native.result->data);
        return {bytes, bytes + ggml_nbytes(native.result)};
    }
    bool same_as_native() {
        send_inputs();
        return compute() == GGML_STATUS_SUCCESS && result() == expected();
    }

    NativeGraph native;
    GuestBuffer buffer;

 private:
    UpstreamGuest& guest_;
};

// A buffer of the host's, whatever the host would rather have: the copy path.
inline GuestBuffer allocate_on_host(UpstreamGuest& guest, uint64_t size) {
    GuestBuffer buffer;
    buffer.handle =
        guest.call(UpstreamCommand::kAllocBuffer, Encoder().number(guest.buffer_type).number(size))
            .number<uint64_t>();
    buffer.base = guest.call(UpstreamCommand::kBufferBase, Encoder().number(buffer.handle))
                      .number<uint64_t>();
    return buffer;
}

// Attention without its heads: products, a bias, a softmax, views.
inline ggml_tensor* layer_like(ggml_context* context) {
    ggml_tensor* const weights = ggml_new_tensor_2d(context, GGML_TYPE_Q8_0, 64, 48);
    ggml_tensor* const input = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 5);
    ggml_tensor* const bias = ggml_new_tensor_1d(context, GGML_TYPE_F32, 48);
    ggml_tensor* const sum = ggml_add(context, ggml_mul_mat(context, weights, input), bias);
    ggml_tensor* const upper = ggml_view_2d(context, sum, 24, 5, sum->nb[1], 0);
    ggml_tensor* const lower = ggml_view_2d(context, sum, 24, 5, sum->nb[1], 24 * sizeof(float));
    return ggml_soft_max(context, ggml_mul(context, ggml_silu(context, ggml_cont(context, upper)),
                                           ggml_cont(context, lower)));
}

}  // namespace virtgpu::test
