#include "worker/device_table.h"

#include <algorithm>

#include "wire/text.h"

namespace virtgpu::worker {

namespace {

const char* type_name(protocol::DeviceType type) {
    switch (type) {
        case protocol::DeviceType::kCpu:
            return "CPU";
        case protocol::DeviceType::kGpu:
            return "GPU";
        case protocol::DeviceType::kIgpu:
            return "integrated GPU";
        case protocol::DeviceType::kAccel:
            return "accelerator";
        case protocol::DeviceType::kMeta:
            return "several";
    }
    return "unknown";
}

}  // namespace

std::string device_table(const std::vector<protocol::DeviceInfo>& devices) {
    size_t name_width = 4;
    size_t type_width = 4;
    for (const protocol::DeviceInfo& device : devices) {
        name_width = std::max(name_width, device.name.size());
        type_width = std::max(type_width, std::string_view(type_name(device.type)).size());
    }
    std::string table = wire::format("{:{}}  {:{}}  {:>10}  {:>10}  {}\n", "NAME", name_width,
                                     "TYPE", type_width, "FREE MiB", "TOTAL MiB", "DESCRIPTION");
    for (const protocol::DeviceInfo& device : devices)
        table += wire::format("{:{}}  {:{}}  {:>10}  {:>10}  {}\n", device.name, name_width,
                              type_name(device.type), type_width, device.memory_free >> 20,
                              device.memory_total >> 20, device.description);
    return table;
}

}  // namespace virtgpu::worker
