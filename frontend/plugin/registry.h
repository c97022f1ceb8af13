#pragma once

#include <list>
#include <memory>
#include <vector>

#include "frontend/device.h"
#include "frontend/plugin/device_table.h"
#include "wire/log.h"

namespace virtgpu::frontend {

struct RegistrySettings {
    // Whether an application's number of threads, chosen for its own processors, counts on the
    // host.
    bool obeys_threads = false;
};

// What ggml_backend_init returns, and all that belongs to it.
class Registry {
 public:
    // `log` outlives the registry.
    Registry(PluginAbi abi, RegistrySettings settings, wire::Log& log);
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    // Adds the devices of a host, named virtgpu0, virtgpu1, ... in the order they are added.
    // `connect` finds the same host again once the connection is lost.
    void add(std::unique_ptr<HostConnection> connection, RenewableHost::Connect connect = {});

    ggml_backend_reg_t get() { return &ggml_registry_; }
    size_t device_count() const { return devices_.size(); }
    // Null when there is no such device.
    ggml_backend_dev_t device(size_t index);
    // What the devices' backends use of their hardware, each name once; ends with an empty entry.
    ggml_backend_feature* features() { return features_.data(); }
    bool has_features() const { return features_.size() > 1; }
    bool obeys_threads() const { return settings_.obeys_threads; }

 private:
    void add_features(const Device& device);

    PluginAbi abi_;
    RegistrySettings settings_;
    wire::Log& log_;
    ggml_backend_reg ggml_registry_;
    std::vector<std::unique_ptr<RenewableHost>> hosts_;
    std::vector<std::unique_ptr<DeviceEntry>> devices_;
    std::list<protocol::Feature> feature_texts_;
    std::vector<ggml_backend_feature> features_;  // of those texts
};

}  // namespace virtgpu::frontend
