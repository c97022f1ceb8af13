#include "tests/unit/backend/background_device.h"

#include <cstring>
#include <new>
#include <string_view>

namespace virtgpu::backend {

namespace {

ggml_backend_dev_t processor() {
    return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
}

}  // namespace

struct BackgroundDevice::Calls {
    static BackgroundDevice& of(ggml_backend_dev_t device) {
        return *static_cast<BackgroundDevice*>(device->context);
    }
    static ggml_backend_t processor_of(ggml_backend_t backend) {
        return static_cast<ggml_backend_t>(backend->context);
    }

    // The registry.
    static const char* registry_name(ggml_backend_reg_t /*registry*/) { return kName; }
    static size_t count(ggml_backend_reg_t /*registry*/) { return 1; }
    static ggml_backend_dev_t get(ggml_backend_reg_t registry, size_t /*index*/) {
        return &static_cast<BackgroundDevice*>(registry->context)->device_;
    }
    static void* function(ggml_backend_reg_t /*registry*/, const char* name) {
        return name == std::string_view("ggml_backend_set_abort_callback")
                   ? reinterpret_cast<void*>(&set_abort_callback)
                   : nullptr;
    }
    static void set_abort_callback(ggml_backend_t backend, ggml_abort_callback callback,
                                   void* /*data*/) {
        of(backend->device).has_abort_callback_ = callback != nullptr;
    }

    // The device.
    static const char* name(ggml_backend_dev_t /*device*/) { return kDevice; }
    static void memory(ggml_backend_dev_t /*device*/, size_t* free, size_t* total) {
        *free = *total = size_t{1} << 30;
    }
    static enum ggml_backend_dev_type type(ggml_backend_dev_t /*device*/) {
        return GGML_BACKEND_DEVICE_TYPE_GPU;
    }
    static void properties(ggml_backend_dev_t device, ggml_backend_dev_props* properties) {
        *properties = {};
        properties->name = properties->description = name(device);
        memory(device, &properties->memory_free, &properties->memory_total);
        properties->type = type(device);
        properties->caps.async = true;
    }
    static ggml_backend_buffer_type_t buffer_type(ggml_backend_dev_t device) {
        return &of(device).type_;
    }
    // Indices in memory of its own nobody looks at.
    static bool supports(ggml_backend_dev_t /*device*/, const ggml_tensor* node) {
        return node->op != GGML_OP_GET_ROWS && ggml_backend_dev_supports_op(processor(), node);
    }
    static bool reaches(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
        return type == &of(device).type_;
    }

    // Its memory: the processor's, under another type.
    static const char* type_name(ggml_backend_buffer_type_t /*type*/) { return kDevice; }
    static size_t alignment(ggml_backend_buffer_type_t /*type*/) { return 64; }
    static ggml_backend_buffer_t allocate(ggml_backend_buffer_type_t type, size_t size) {
        ggml_backend_buffer_t const buffer =
            ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(processor()), size);
        if (buffer != nullptr)
            buffer->buft = type;
        return buffer;
    }

    // Its streams.
    static ggml_backend_t open(ggml_backend_dev_t device, const char* /*parameters*/) {
        ggml_backend_t const computes = ggml_backend_dev_init(processor(), nullptr);
        auto* const backend = new ggml_backend{};
        backend->guid = reinterpret_cast<ggml_guid_t>(&of(device).guid_);
        backend->iface.get_name = [](ggml_backend_t) { return kDevice; };
        backend->iface.free = close;
        backend->iface.set_tensor_async = set;
        backend->iface.get_tensor_async = get_bytes;
        backend->iface.synchronize = synchronize;
        backend->iface.graph_compute = compute;
        backend->device = device;
        backend->context = computes;
        const std::lock_guard lock(of(device).mutex_);
        of(device).open_.insert(backend);
        return backend;
    }
    static void close(ggml_backend_t backend) {
        {
            const std::lock_guard lock(of(backend->device).mutex_);
            of(backend->device).open_.erase(backend);
        }
        ggml_backend_free(processor_of(backend));
        delete backend;
    }
    static std::byte* bytes_of(ggml_backend_t backend, const ggml_tensor* tensor, size_t offset) {
        BackgroundDevice& device = of(backend->device);
        if (tensor->buffer->buft != &device.type_)
            ++device.misused_;
        return static_cast<std::byte*>(tensor->data) + offset;
    }
    static void set(ggml_backend_t backend, ggml_tensor* tensor, const void* from, size_t offset,
                    size_t size) {
        std::memcpy(bytes_of(backend, tensor, offset), from, size);
    }
    static void get_bytes(ggml_backend_t backend, const ggml_tensor* tensor, void* to,
                          size_t offset, size_t size) {
        std::memcpy(to, bytes_of(backend, tensor, offset), size);
    }
    static ggml_status compute(ggml_backend_t backend, ggml_cgraph* graph) {
        if (of(backend->device).short_of_memory_)
            throw std::bad_alloc();
        return ggml_backend_graph_compute(processor_of(backend), graph);
    }
    static void synchronize(ggml_backend_t backend) {
        BackgroundDevice& device = of(backend->device);
        std::unique_lock lock(device.mutex_);
        device.changed_.wait(lock, [&] { return !device.busy_; });
    }
};

BackgroundDevice& BackgroundDevice::registered() {
    static BackgroundDevice device;
    return device;
}

BackgroundDevice::BackgroundDevice() {
    device_.iface = {.get_name = Calls::name,
                     .get_description = Calls::name,
                     .get_memory = Calls::memory,
                     .get_type = Calls::type,
                     .get_props = Calls::properties,
                     .init_backend = Calls::open,
                     .get_buffer_type = Calls::buffer_type,
                     .get_host_buffer_type = nullptr,
                     .buffer_from_host_ptr = nullptr,
                     .supports_op = Calls::supports,
                     .supports_buft = Calls::reaches,
                     .offload_op = nullptr,
                     .event_new = nullptr,
                     .event_free = nullptr,
                     .event_synchronize = nullptr};
    device_.reg = &registry_;
    device_.context = this;
    type_.iface.get_name = Calls::type_name;
    type_.iface.alloc_buffer = Calls::allocate;
    type_.iface.get_alignment = Calls::alignment;
    type_.device = &device_;
    registry_.api_version = 3;
    registry_.iface = {.get_name = Calls::registry_name,
                       .get_device_count = Calls::count,
                       .get_device = Calls::get,
                       .get_proc_address = Calls::function};
    registry_.context = this;
    ggml_backend_register(&registry_);
}

size_t BackgroundDevice::open_streams() {
    const std::lock_guard lock(mutex_);
    return open_.size();
}

void BackgroundDevice::free_streams() {
    std::set<ggml_backend_t> open;
    {
        const std::lock_guard lock(mutex_);
        open = open_;
    }
    for (ggml_backend_t const backend : open)
        ggml_backend_free(backend);
}

void BackgroundDevice::hold_busy(bool busy) {
    {
        const std::lock_guard lock(mutex_);
        busy_ = busy;
    }
    changed_.notify_all();
}

}  // namespace virtgpu::backend
