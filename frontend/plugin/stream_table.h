#pragma once

#include <ggml-backend.h>

#include "frontend/plugin/device_table.h"

namespace virtgpu::frontend {

// Asked while graphs are computed, none where null. Of a backend of ours.
void set_abort_callback(ggml_backend_t backend, ggml_abort_callback unwanted, void* data);
void set_threads(ggml_backend_t backend, int threads);

// For the device's table.
ggml_backend_event_t make_event(ggml_backend_dev_t device, wire::Log& log);
void free_event(ggml_backend_dev_t device, ggml_backend_event_t event);
void synchronize_event(ggml_backend_dev_t device, ggml_backend_event_t event);

// A new ggml_backend_t of the device, which ggml frees; null after logging why.
ggml_backend_t make_ggml_backend(DeviceEntry& device);

}  // namespace virtgpu::frontend
