#include "frontend/buffer_placer.h"

#include "frontend/ggml_plugin_abi.h"
#include "frontend/plugin/buffer_table.h"
#include "frontend/remote_buffer.h"
#include "frontend/remote_device.h"

namespace virtgpu::frontend {

using wire::Fault;

namespace {

ggml_backend_buffer_t buffer_of(const ggml_tensor& tensor) {
    if (tensor.buffer == nullptr && tensor.view_src != nullptr)
        return tensor.view_src->buffer;
    return tensor.buffer;
}

}  // namespace

bool BufferPlacer::holds(const ggml_tensor& tensor) const {
    ggml_backend_buffer_t const buffer = buffer_of(tensor);
    RemoteBuffer* const remote = buffer == nullptr ? nullptr : remote_buffer(buffer);
    return remote != nullptr && &remote->device().connection() == &connection_;
}

wire::Result<TensorPlace> BufferPlacer::place(const ggml_tensor& tensor) {
    ggml_backend_buffer_t const buffer = buffer_of(tensor);
    RemoteBuffer* const remote = buffer == nullptr ? nullptr : remote_buffer(buffer);
    if (remote == nullptr) {
        // ggml puts tensors without bytes into buffers without a backend.
        if (ggml_nbytes(&tensor) == 0)
            return TensorPlace{};
        return wire::fail(Fault::kRefused, "tensor '{}' is not in a buffer of this device",
                          tensor.name);
    }
    if (&remote->device().connection() != &connection_)
        return wire::fail(Fault::kRefused, "tensor '{}' is in a buffer of another host",
                          tensor.name);
    TRY(remote->update_usage(buffer->usage));
    return remote->place(tensor);
}

}  // namespace virtgpu::frontend
