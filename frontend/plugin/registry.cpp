#include "frontend/plugin/registry.h"

#include <algorithm>
#include <string_view>

#include "frontend/plugin/stream_table.h"

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

ggml_backend_feature* get_features(ggml_backend_reg_t registry) {
    return object(registry).features();
}

// What docs/plugin-interface.md lists.
void* get_proc_address(ggml_backend_reg_t registry, const char* name) {
    const std::string_view wanted = name;
    // llama.cpp prints the registry's name in any case.
    if (wanted == "ggml_backend_get_features" && object(registry).has_features())
        return reinterpret_cast<void*>(get_features);
    if (wanted == "ggml_backend_set_abort_callback")
        return reinterpret_cast<void*>(set_abort_callback);
    if (wanted == "ggml_backend_set_n_threads" && object(registry).obeys_threads())
        return reinterpret_cast<void*>(set_threads);
    return nullptr;
}

constexpr ggml_backend_feature kLastFeature{nullptr, nullptr};

}  // namespace

Registry::Registry(PluginAbi abi, RegistrySettings settings, wire::Log& log)
    : abi_(abi),
      settings_(settings),
      log_(log),
      ggml_registry_{
          static_cast<int>(abi), {get_name, get_device_count, get_device, get_proc_address}, this},
      features_{kLastFeature} {}

void Registry::add(std::unique_ptr<HostConnection> connection, RenewableHost::Connect connect) {
    std::vector<std::string> names;
    for (uint32_t i = 0; i < connection->device_count(); ++i)
        names.push_back(wire::format("virtgpu{}", devices_.size() + i));
    const size_t count = names.size();
    RenewableHost& host = *hosts_.emplace_back(std::make_unique<RenewableHost>(
        std::move(connection), std::move(names), std::move(connect), log_));
    for (size_t i = 0; i < count; ++i) {
        const DeviceEntry& added =
            *devices_.emplace_back(std::make_unique<DeviceEntry>(abi_, get(), host, i));
        log_.info("{}: {}, {}", added.name(), added.description(), added.id());
        add_features(*added.device());
    }
}

void Registry::add_features(const Device& device) {
    features_.pop_back();
    for (const protocol::Feature& feature : device.features()) {
        const bool known =
            std::any_of(features_.begin(), features_.end(),
                        [&](const ggml_backend_feature& one) { return feature.name == one.name; });
        if (known)
            continue;
        const protocol::Feature& kept = feature_texts_.emplace_back(feature);
        features_.push_back({kept.name.c_str(), kept.value.c_str()});
    }
    features_.push_back(kLastFeature);
}

ggml_backend_dev_t Registry::device(size_t index) {
    return index < devices_.size() ? devices_[index]->get() : nullptr;
}

}  // namespace virtgpu::frontend
