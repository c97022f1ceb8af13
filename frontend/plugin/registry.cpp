#include "frontend/plugin/registry.h"

namespace virtgpu::frontend {

namespace {

Registry& object(ggml_backend_reg_t registry) {
    return *static_cast<Registry*>(registry->context);
}

const char* get_name(ggml_backend_reg_t /*registry*/) {
    return "virtgpu";
}

size_t get_device_count(ggml_backend_reg_t registry) {
    return object(registry).device_count();
}

ggml_backend_dev_t get_device(ggml_backend_reg_t registry, size_t index) {
    return object(registry).device(index);
}

// Nothing is offered beyond the tables.
void* get_proc_address(ggml_backend_reg_t /*registry*/, const char* /*name*/) {
    return nullptr;
}

}  // namespace

Registry::Registry(PluginAbi abi, wire::Log& log)
    : abi_(abi),
      log_(log),
      ggml_registry_{
          static_cast<int>(abi), {get_name, get_device_count, get_device, get_proc_address}, this} {
}

void Registry::add(std::unique_ptr<Connection> connection) {
    Connection& added = *connections_.emplace_back(std::move(connection));
    for (uint32_t i = 0; i < added.host().devices.size(); ++i) {
        devices_.push_back(std::make_unique<DeviceEntry>(
            abi_, get(), added, i, wire::format("virtgpu{}", devices_.size())));
        RemoteDevice& device = devices_.back()->device();
        log_.info("{}: {}, {}", device.name(), device.description(), device.id());
    }
}

ggml_backend_dev_t Registry::device(size_t index) {
    return index < devices_.size() ? devices_[index]->get() : nullptr;
}

}  // namespace virtgpu::frontend
