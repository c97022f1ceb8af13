#include "frontend/buffer_placer.h"

#include "frontend/plugin/buffer_table.h"
#include "frontend/remote_buffer.h"
#include "frontend/remote_device.h"
#include "frontend/tensor_buffer.h"
#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {

using wire::Fault;

RemoteBuffer* BufferPlacer::buffer_of(const ggml_tensor& tensor) const {
    ggml_backend_buffer_t const buffer = ggml_buffer_of(tensor);
    Buffer* const ours = buffer == nullptr ? nullptr : buffer_behind(buffer);
    // Those of this connection are of its kind.
    return ours != nullptr && &ours->connection() == &connection_ ? static_cast<RemoteBuffer*>(ours)
                                                                  : nullptr;
}

wire::Result<RemoteBuffer*> BufferPlacer::use_buffer_of(const ggml_tensor& tensor) const {
    ggml_backend_buffer_t const buffer = ggml_buffer_of(tensor);
    if (buffer == nullptr || buffer_behind(buffer) == nullptr)
        return wire::fail(Fault::kRefused, "tensor '{}' is not in a buffer of this device",
                          tensor.name);
    RemoteBuffer* const remote = buffer_of(tensor);
    if (remote == nullptr)
        return wire::fail(Fault::kRefused, "tensor '{}' is in a buffer of another host",
                          tensor.name);
    TRY(remote->update_usage(buffer->usage));
    return remote;
}

wire::Result<TensorPlace> BufferPlacer::place(const ggml_tensor& tensor) {
    ggml_backend_buffer_t const buffer = ggml_buffer_of(tensor);
    // ggml puts tensors without bytes into buffers without a backend.
    if ((buffer == nullptr || buffer_behind(buffer) == nullptr) && ggml_nbytes(&tensor) == 0)
        return TensorPlace{};
    return TRY(use_buffer_of(tensor))->place(tensor);
}

}  // namespace virtgpu::frontend
