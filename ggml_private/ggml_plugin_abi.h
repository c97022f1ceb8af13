// The structures through which libggml calls a plug-in: ggml's plug-in API version 3 (ggml 0.26 and
// 0.27), and version 2 as of ggml 0.23 to 0.25. Written from the offsets that the accessors in
// Debian's libggml-base.so.0.27.0 (amd64) use; the assertions below pin them. ggml's public headers
// declare the rest. The only exported functions of libggml-base without a public declaration that
// we call are at the end.
#pragma once

#include <ggml-backend.h>
#include <ggml.h>

#include <cstddef>
#include <cstdint>

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the names are ggml's.

struct ggml_backend_buffer_type_i {
    const char* (*get_name)(ggml_backend_buffer_type_t);
    ggml_backend_buffer_t (*alloc_buffer)(ggml_backend_buffer_type_t, size_t);
    ggml_backend_buffer_t (*alloc_buffer_n)(ggml_backend_buffer_type_t, ggml_tensor**,
                                            int);  // or null
    size_t (*get_alignment)(ggml_backend_buffer_type_t);
    size_t (*get_max_size)(ggml_backend_buffer_type_t);                          // or null
    size_t (*get_alloc_size)(ggml_backend_buffer_type_t, const ggml_tensor*);    // or null
    size_t (*get_alloc_size_n)(ggml_backend_buffer_type_t, ggml_tensor**, int);  // or null
    bool (*is_host)(ggml_backend_buffer_type_t);                                 // or null
};

struct ggml_backend_buffer_type {
    ggml_backend_buffer_type_i iface;
    ggml_backend_dev_t device;
    void* context;
};

// Version 2 lacks the two functions that take several tensors.
struct ggml_backend_buffer_type_i_v2 {
    const char* (*get_name)(ggml_backend_buffer_type_t);
    ggml_backend_buffer_t (*alloc_buffer)(ggml_backend_buffer_type_t, size_t);
    size_t (*get_alignment)(ggml_backend_buffer_type_t);
    size_t (*get_max_size)(ggml_backend_buffer_type_t);
    size_t (*get_alloc_size)(ggml_backend_buffer_type_t, const ggml_tensor*);
    bool (*is_host)(ggml_backend_buffer_type_t);
};

struct ggml_backend_buffer_type_v2 {
    ggml_backend_buffer_type_i_v2 iface;
    ggml_backend_dev_t device;
    void* context;
};

struct ggml_backend_buffer_i {
    void (*free_buffer)(ggml_backend_buffer_t);  // or null
    void* (*get_base)(ggml_backend_buffer_t);
    ggml_status (*init_tensor)(ggml_backend_buffer_t, ggml_tensor*);  // or null
    void (*memset_tensor)(ggml_backend_buffer_t, ggml_tensor*, uint8_t, size_t, size_t);
    void (*set_tensor)(ggml_backend_buffer_t, ggml_tensor*, const void*, size_t, size_t);
    void (*get_tensor)(ggml_backend_buffer_t, const ggml_tensor*, void*, size_t, size_t);
    void (*set_tensor_2d)(ggml_backend_buffer_t, ggml_tensor*, const void*, size_t, size_t, size_t,
                          size_t, size_t);  // or null
    void (*get_tensor_2d)(ggml_backend_buffer_t, const ggml_tensor*, void*, size_t, size_t, size_t,
                          size_t, size_t);                                        // or null
    bool (*cpy_tensor)(ggml_backend_buffer_t, const ggml_tensor*, ggml_tensor*);  // or null
    void (*clear)(ggml_backend_buffer_t, uint8_t);
    void (*reset)(ggml_backend_buffer_t);  // or null
};

struct ggml_backend_buffer {
    ggml_backend_buffer_i iface;
    ggml_backend_buffer_type_t buft;
    void* context;
    size_t size;
    ggml_backend_buffer_usage usage;
};

struct ggml_backend_graph_optimize_params {
    void (*add_alloc_dep)(void* user_data, ggml_tensor* tensor, ggml_tensor* until);
    void* user_data;
};

struct ggml_backend_i {
    const char* (*get_name)(ggml_backend_t);
    void (*free)(ggml_backend_t);
    // All but graph_compute may be null from here on.
    void (*set_tensor_async)(ggml_backend_t, ggml_tensor*, const void*, size_t, size_t);
    void (*get_tensor_async)(ggml_backend_t, const ggml_tensor*, void*, size_t, size_t);
    void (*set_tensor_2d_async)(ggml_backend_t, ggml_tensor*, const void*, size_t, size_t, size_t,
                                size_t, size_t);
    void (*get_tensor_2d_async)(ggml_backend_t, const ggml_tensor*, void*, size_t, size_t, size_t,
                                size_t, size_t);
    bool (*cpy_tensor_async)(ggml_backend_t, ggml_backend_t, const ggml_tensor*, ggml_tensor*);
    void (*synchronize)(ggml_backend_t);
    ggml_backend_graph_plan_t (*graph_plan_create)(ggml_backend_t, const ggml_cgraph*);
    void (*graph_plan_free)(ggml_backend_t, ggml_backend_graph_plan_t);
    void (*graph_plan_update)(ggml_backend_t, ggml_backend_graph_plan_t, const ggml_cgraph*);
    ggml_status (*graph_plan_compute)(ggml_backend_t, ggml_backend_graph_plan_t);
    ggml_status (*graph_compute)(ggml_backend_t, ggml_cgraph*);
    void (*event_record)(ggml_backend_t, ggml_backend_event_t);
    void (*event_wait)(ggml_backend_t, ggml_backend_event_t);
    void (*graph_optimize)(ggml_backend_t, ggml_cgraph*, ggml_backend_graph_optimize_params*);
};

struct ggml_backend {
    ggml_guid_t guid;
    ggml_backend_i iface;
    ggml_backend_dev_t device;
    void* context;
};

struct ggml_backend_event {
    ggml_backend_dev_t device;
    void* context;
};

struct ggml_backend_device_i {
    const char* (*get_name)(ggml_backend_dev_t);
    const char* (*get_description)(ggml_backend_dev_t);
    void (*get_memory)(ggml_backend_dev_t, size_t* free, size_t* total);
    // "enum" because ggml has a function of the same name.
    enum ggml_backend_dev_type (*get_type)(ggml_backend_dev_t);
    void (*get_props)(ggml_backend_dev_t, ggml_backend_dev_props*);
    ggml_backend_t (*init_backend)(ggml_backend_dev_t, const char* parameters);
    ggml_backend_buffer_type_t (*get_buffer_type)(ggml_backend_dev_t);
    ggml_backend_buffer_type_t (*get_host_buffer_type)(ggml_backend_dev_t);  // or null
    ggml_backend_buffer_t (*buffer_from_host_ptr)(ggml_backend_dev_t, void*, size_t,
                                                  size_t);  // or null
    bool (*supports_op)(ggml_backend_dev_t, const ggml_tensor*);
    bool (*supports_buft)(ggml_backend_dev_t, ggml_backend_buffer_type_t);
    bool (*offload_op)(ggml_backend_dev_t, const ggml_tensor*);           // or null
    ggml_backend_event_t (*event_new)(ggml_backend_dev_t);                // or null
    void (*event_free)(ggml_backend_dev_t, ggml_backend_event_t);         // or null
    void (*event_synchronize)(ggml_backend_dev_t, ggml_backend_event_t);  // or null
};

struct ggml_backend_device {
    ggml_backend_device_i iface;
    ggml_backend_reg_t reg;
    void* context;
};

struct ggml_backend_reg_i {
    const char* (*get_name)(ggml_backend_reg_t);
    size_t (*get_device_count)(ggml_backend_reg_t);
    ggml_backend_dev_t (*get_device)(ggml_backend_reg_t, size_t);
    void* (*get_proc_address)(ggml_backend_reg_t, const char*);  // or null
};

struct ggml_backend_reg {
    int api_version;
    ggml_backend_reg_i iface;
    void* context;
};

// Makes a ggml_backend_buffer that ggml_backend_buffer_free releases.
GGML_API ggml_backend_buffer_t ggml_backend_buffer_init(ggml_backend_buffer_type_t,
                                                        ggml_backend_buffer_i, void* context,
                                                        size_t size);
// Whether libggml accepts an allocation size over ggml_nbytes for results of this operation.
GGML_API bool ggml_op_alloc_size_may_expand(ggml_op);

// NOLINTEND(readability-identifier-naming)
}  // extern "C"

static_assert(offsetof(ggml_backend_buffer_type, device) == 0x40);
static_assert(sizeof(ggml_backend_buffer_type) == 0x50);
static_assert(offsetof(ggml_backend_buffer_type_i, get_alloc_size) == 0x28);
static_assert(offsetof(ggml_backend_buffer_type_i, is_host) == 0x38);
static_assert(offsetof(ggml_backend_buffer_type_v2, device) == 0x30);
static_assert(sizeof(ggml_backend_buffer_type_v2) == 0x40);
static_assert(offsetof(ggml_backend_buffer_i, clear) == 0x48);
static_assert(offsetof(ggml_backend_buffer, buft) == 0x58);
static_assert(offsetof(ggml_backend_buffer, context) == 0x60);
static_assert(offsetof(ggml_backend_buffer, size) == 0x68);
static_assert(offsetof(ggml_backend_buffer, usage) == 0x70);
static_assert(sizeof(ggml_backend_buffer) == 0x78);
static_assert(offsetof(ggml_backend, iface) + offsetof(ggml_backend_i, graph_compute) == 0x68);
static_assert(offsetof(ggml_backend, iface) + offsetof(ggml_backend_i, graph_optimize) == 0x80);
static_assert(offsetof(ggml_backend, device) == 0x88);
static_assert(sizeof(ggml_backend) == 0x98);
static_assert(offsetof(ggml_backend_device_i, supports_op) == 0x48);
static_assert(offsetof(ggml_backend_device, reg) == 0x78);
static_assert(sizeof(ggml_backend_device) == 0x88);
static_assert(offsetof(ggml_backend_reg, iface) == 0x8);
static_assert(sizeof(ggml_backend_reg) == 0x30);
static_assert(sizeof(ggml_backend_dev_props) == 0x38);

// ggml_tensor is public; what the encoder relies on is pinned all the same.
static_assert(offsetof(ggml_tensor, buffer) == 0x8 && offsetof(ggml_tensor, ne) == 0x10);
static_assert(offsetof(ggml_tensor, nb) == 0x30 && offsetof(ggml_tensor, op) == 0x50);
static_assert(offsetof(ggml_tensor, op_params) == 0x54 && offsetof(ggml_tensor, flags) == 0x94);
static_assert(offsetof(ggml_tensor, src) == 0x98 && offsetof(ggml_tensor, view_src) == 0xe8);
static_assert(offsetof(ggml_tensor, data) == 0xf8 && offsetof(ggml_tensor, name) == 0x100);
static_assert(sizeof(ggml_tensor) == 0x150);
