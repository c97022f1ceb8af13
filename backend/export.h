#pragma once

// What libggml-virtgpu-backend.so shows; everything else is hidden.
#define VIRTGPU_EXPORT __attribute__((visibility("default")))
