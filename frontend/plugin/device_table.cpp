#include "frontend/plugin/device_table.h"

#include "frontend/plugin/boundary.h"
#include "frontend/plugin/stream_table.h"

namespace virtgpu::frontend {

namespace {

DeviceEntry& entry(ggml_backend_dev_t device) {
    return *static_cast<DeviceEntry*>(device->context);
}

std::shared_ptr<Device> object(ggml_backend_dev_t device) {
    return entry(device).device();
}

wire::Log& log_of(ggml_backend_dev_t device) {
    return entry(device).log();
}

const char* get_name(ggml_backend_dev_t device) {
    return entry(device).name().c_str();
}

const char* get_description(ggml_backend_dev_t device) {
    return entry(device).description().c_str();
}

void get_memory(ggml_backend_dev_t device, size_t* free, size_t* total) {
    const auto memory = at_boundary(log_of(device), Device::Memory{},
                                    [&] { return entry(device).working_device()->memory(); });
    *free = memory.free;
    *total = memory.total;
}

enum ggml_backend_dev_type get_type(ggml_backend_dev_t device) {
    return object(device)->type();
}

void get_props(ggml_backend_dev_t device, ggml_backend_dev_props* props) {
    props->name = get_name(device);
    props->description = get_description(device);
    get_memory(device, &props->memory_free, &props->memory_total);
    props->type = get_type(device);
    props->device_id = entry(device).id().c_str();
    props->caps = {};
    const Device::Capabilities capabilities = object(device)->capabilities();
    props->caps.async = capabilities.async;
    props->caps.host_buffer = capabilities.host_memory;
    props->caps.events = capabilities.events;
    // buffer_from_host_ptr stays false: llama.cpp would hand over the pages of its model file.
    // Without mmap_support it reads the whole file into memory, also for other devices.
    props->caps.mmap_support = true;
}

ggml_backend_t init_backend(ggml_backend_dev_t device, const char* /*parameters*/) {
    return make_ggml_backend(entry(device));
}

ggml_backend_buffer_type_t get_buffer_type(ggml_backend_dev_t device) {
    return entry(device).buffer_type();
}

ggml_backend_buffer_type_t get_host_buffer_type(ggml_backend_dev_t device) {
    return entry(device).host_buffer_type();
}

bool supports_op(ggml_backend_dev_t device, const ggml_tensor* node) {
    // Without memory to ask: "no" for a node whose data is here makes ggml's scheduler abort.
    return at_boundary(log_of(device), true, [&] { return object(device)->supports_op(*node); });
}

bool supports_buft(ggml_backend_dev_t device, ggml_backend_buffer_type_t type) {
    return type == entry(device).buffer_type();
}

bool offload_op(ggml_backend_dev_t device, const ggml_tensor* node) {
    return at_boundary(log_of(device), false, [&] { return object(device)->offloads_op(*node); });
}

ggml_backend_event_t new_event(ggml_backend_dev_t device) {
    return make_event(device, log_of(device));
}

ggml_backend_device make_table(ggml_backend_reg_t registry, DeviceEntry* context) {
    ggml_backend_device device{};
    device.iface.get_name = get_name;
    device.iface.get_description = get_description;
    device.iface.get_memory = get_memory;
    device.iface.get_type = get_type;
    device.iface.get_props = get_props;
    device.iface.init_backend = init_backend;
    device.iface.get_buffer_type = get_buffer_type;
    device.iface.get_host_buffer_type = get_host_buffer_type;
    device.iface.supports_op = supports_op;
    device.iface.supports_buft = supports_buft;
    device.iface.offload_op = offload_op;
    device.iface.event_new = new_event;
    device.iface.event_free = free_event;
    device.iface.event_synchronize = synchronize_event;
    device.reg = registry;
    device.context = context;
    return device;
}

}  // namespace

DeviceEntry::DeviceEntry(PluginAbi abi, ggml_backend_reg_t registry, RenewableHost& host,
                         size_t index)
    : host_(host),
      index_(index),
      name_(device()->name()),
      host_memory_name_(device()->host_memory_name()),
      description_(device()->description()),
      id_(device()->id()),
      ggml_device_(make_table(registry, this)),
      buffer_type_(abi, *this),
      host_buffer_type_(abi, *this) {}

ggml_backend_buffer_type_t DeviceEntry::host_buffer_type() {
    return device()->capabilities().host_memory ? host_buffer_type_.get() : nullptr;
}

}  // namespace virtgpu::frontend
