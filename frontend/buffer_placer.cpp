#include "frontend/buffer_placer.h"

#include "frontend/ggml_plugin_abi.h"
#include "frontend/plugin/buffer_table.h"
#include "frontend/remote_buffer.h"
#include "frontend/remote_device.h"

namespace virtgpu::frontend {

using wire::Fault;

wire::Result<TensorPlace> BufferPlacer::place(const ggml_tensor& tensor) {
    ggml_backend_buffer_t buffer = tensor.buffer;
    if (buffer == nullptr && tensor.view_src != nullptr)
        buffer = tensor.view_src->buffer;
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
