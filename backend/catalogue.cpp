#include "backend/catalogue.h"

#include <strings.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "backend/buffer.h"
#include "backend/ggml_vocabulary.h"
#include "backend/library_folder.h"
#include "backend/rpc_servers.h"

namespace virtgpu::backend {

namespace {

#ifndef VIRTGPU_GGML_BACKEND_DIR
#define VIRTGPU_GGML_BACKEND_DIR ""
#endif

std::string text(const char* value, size_t limit = protocol::kMaxTextLength) {
    return value == nullptr ? std::string() : std::string(value).substr(0, limit);
}

bool same_name(const char* a, const std::string& b) {
    return ::strcasecmp(a, b.c_str()) == 0;
}

// Backends that are part of libggml itself, and those loaded before.
ggml_backend_reg_t registered(const std::string& name) {
    for (size_t i = 0; i < ggml_backend_reg_count(); ++i)
        if (same_name(ggml_backend_reg_name(ggml_backend_reg_get(i)), name))
            return ggml_backend_reg_get(i);
    return nullptr;
}

Result<ggml_backend_reg_t> load_file(const std::string& path) {
    ggml_backend_reg_t const backend = ggml_backend_load(path.c_str());
    if (backend == nullptr)
        return wire::fail(Fault::kRefused,
                          "'{}' is no ggml backend for ggml {}: see ggml's message above, and "
                          "install the backend of the same version",
                          path, ggml_version());
    return backend;
}

Result<ggml_backend_reg_t> load_backend(const std::string& name, const std::string& folder) {
    if (name.find('/') != std::string::npos) {
        if (!std::filesystem::exists(name))
            return wire::fail(Fault::kRefused, "there is no file '{}'", name);
        return load_file(name);
    }
    if (ggml_backend_reg_t const backend = registered(name); backend != nullptr)
        return backend;
    const LibraryFolder libraries = TRY(LibraryFolder::open(folder));
    return load_file(TRY(libraries.best_file(name)));
}

// What the options name; nothing where they name nothing.
Result<std::vector<ggml_backend_reg_t>> load_named(const CatalogueOptions& options,
                                                   const std::string& folder) {
    for (const std::string& server : options.rpc_servers)
        TRY(check_endpoint(server));
    std::vector<ggml_backend_reg_t> backends = options.registered;
    for (const std::string& name : options.backends) {
        if (name == "rpc" && options.rpc_servers.empty())
            return wire::fail(Fault::kRefused,
                              "the backend rpc needs servers: add --rpc HOST:PORT,...");
        backends.push_back(TRY(load_backend(name, folder)));
    }
    if (options.library.named())
        backends.push_back(TRY(load_ggml_library(options.library)));
    if (options.rpc_servers.empty())
        return backends;
    ggml_backend_reg_t const rpc = TRY(load_backend("rpc", folder));
    for (const std::string& server : options.rpc_servers)
        backends.push_back(TRY(add_rpc_server(rpc, server)));
    return backends;
}

// Those that are part of libggml and those in the folder. A backend that does not load here is left
// out: nobody asked for it by name.
Result<std::vector<ggml_backend_reg_t>> load_all(const std::string& folder, wire::Log& log) {
    std::vector<ggml_backend_reg_t> backends;
    for (size_t i = 0; i < ggml_backend_reg_count(); ++i)
        backends.push_back(ggml_backend_reg_get(i));
    const auto libraries = LibraryFolder::open(folder);
    if (!libraries && backends.empty())
        return tl::unexpected(libraries.error());
    if (!libraries)
        return backends;
    for (const std::string& name : libraries->names()) {
        const auto backend = load_backend(name, folder);
        if (!backend)
            log.debug("{}", backend.error().message());
        else if (std::find(backends.begin(), backends.end(), *backend) == backends.end())
            backends.push_back(*backend);
    }
    return backends;
}

std::vector<ggml_backend_dev_t> devices_of(const std::vector<ggml_backend_reg_t>& backends) {
    std::vector<ggml_backend_dev_t> devices;
    for (ggml_backend_reg_t const backend : backends)
        for (size_t i = 0; i < ggml_backend_reg_dev_count(backend); ++i)
            devices.push_back(ggml_backend_reg_dev_get(backend, i));
    return devices;
}

std::vector<ggml_backend_dev_t> preferred(const std::vector<ggml_backend_dev_t>& devices) {
    std::vector<ggml_backend_dev_t> gpus;
    std::vector<ggml_backend_dev_t> processors;
    for (ggml_backend_dev_t const device : devices) {
        const enum ggml_backend_dev_type type = ggml_backend_dev_type(device);
        if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU)
            gpus.push_back(device);
        if (type == GGML_BACKEND_DEVICE_TYPE_CPU)
            processors.push_back(device);
    }
    return gpus.empty() ? processors : gpus;
}

Result<std::vector<ggml_backend_dev_t>> named(const std::vector<ggml_backend_dev_t>& devices,
                                              const std::vector<std::string>& names) {
    std::vector<ggml_backend_dev_t> chosen;
    std::vector<std::string> known;
    for (ggml_backend_dev_t const device : devices)
        known.emplace_back(ggml_backend_dev_name(device));
    for (const std::string& name : names) {
        const auto found =
            std::find_if(devices.begin(), devices.end(), [&name](ggml_backend_dev_t device) {
                return same_name(ggml_backend_dev_name(device), name);
            });
        if (found == devices.end())
            return wire::fail(Fault::kRefused, "no device is called '{}'. There are: {}", name,
                              known.empty() ? "none" : wire::join(known));
        chosen.push_back(*found);
    }
    return chosen;
}

bool is_remote(ggml_backend_dev_t device) {
    return std::string_view(ggml_backend_reg_name(ggml_backend_dev_backend_reg(device)))
        .starts_with("RPC");
}

// What the backend's list says, as far as a guest can take it.
std::vector<protocol::Feature> features_of(ggml_backend_dev_t device) {
    auto* const list =
        reinterpret_cast<ggml_backend_get_features_t>(ggml_backend_reg_get_proc_address(
            ggml_backend_dev_backend_reg(device), "ggml_backend_get_features"));
    std::vector<protocol::Feature> features;
    if (list == nullptr)
        return features;
    const ggml_backend_feature* feature = list(ggml_backend_dev_backend_reg(device));
    for (; feature->name != nullptr && features.size() < protocol::kMaxFeatures; ++feature)
        features.push_back({text(feature->name, protocol::kMaxNameLength),
                            text(feature->value, protocol::kMaxNameLength)});
    return features;
}

}  // namespace

std::string library_folder(const CatalogueOptions& options) {
    if (!options.folder.empty())
        return options.folder;
    const char* const variable = std::getenv("GGML_VIRTGPU_BACKEND_DIR");
    return variable == nullptr ? VIRTGPU_GGML_BACKEND_DIR : variable;
}

Result<std::unique_ptr<Catalogue>> Catalogue::load(const CatalogueOptions& options,
                                                   wire::Log& log) {
    const std::string folder = library_folder(options);
    auto backends = TRY(load_named(options, folder));
    const bool all = backends.empty();
    if (all)
        backends = TRY(load_all(folder, log));

    auto devices = devices_of(backends);
    if (!options.devices.empty())
        devices = TRY(named(devices, options.devices));
    else if (all && options.offer == Offer::kPreferred)
        devices = preferred(devices);
    if (devices.empty())
        return wire::fail(Fault::kRefused,
                          "the ggml backends have no device: {}. Check the driver and the "
                          "permissions of its device files, or use --backend cpu",
                          options.backends.empty() ? folder : wire::join(options.backends));
    if (devices.size() > protocol::kMaxDevices)
        return wire::fail(Fault::kRefused,
                          "{} devices, where a guest can see {}: choose with --device",
                          devices.size(), protocol::kMaxDevices);
    auto catalogue = std::make_unique<Catalogue>();
    for (ggml_backend_dev_t const device : devices)
        catalogue->copy_types_.push_back(options.repack ? CopyTypes::of(device) : CopyTypes());
    // ggml-rpc closes a server's connection with its last buffer and makes another for the next,
    // which a sandboxed process cannot.
    for (ggml_backend_dev_t const device : devices)
        if (is_remote(device))
            catalogue->connections_.emplace_back(
                ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device), 1));
    catalogue->devices_ = std::move(devices);
    catalogue->vocabulary_ = read_ggml_vocabulary();
    return catalogue;
}

Result<ggml_backend_dev_t> Catalogue::device(uint32_t position) const {
    if (position >= devices_.size())
        return wire::fail(Fault::kPeer, "there is no device {}", position);
    return devices_[position];
}

const CopyTypes& Catalogue::copy_types(ggml_backend_dev_t device) const {
    const auto found = std::find(devices_.begin(), devices_.end(), device);
    return copy_types_[static_cast<size_t>(found - devices_.begin())];
}

bool Catalogue::copies_weights() const {
    return std::any_of(copy_types_.begin(), copy_types_.end(),
                       [](const CopyTypes& types) { return !types.empty(); });
}

protocol::DeviceInfo Catalogue::describe(uint32_t position) const {
    ggml_backend_dev_t const device = devices_[position];
    ggml_backend_dev_props properties{};
    ggml_backend_dev_get_props(device, &properties);
    ggml_backend_buffer_type_t const buffer_type = ggml_backend_dev_buffer_type(device);
    protocol::DeviceInfo info;
    info.name = text(properties.name);
    info.description = text(properties.description);
    info.device_id = text(properties.device_id);
    info.type = static_cast<protocol::DeviceType>(properties.type);
    info.memory_free = properties.memory_free;
    info.memory_total = properties.memory_total;
    info.buffer_type.name = text(ggml_backend_buft_name(buffer_type));
    info.buffer_type.alignment = ggml_backend_buft_get_alignment(buffer_type);
    info.buffer_type.max_size = ggml_backend_buft_get_max_size(buffer_type);
    info.shares_memory = Buffer::can_share(device);
    info.copies_weights = !copy_types_[position].empty();
    info.features = features_of(device);
    return info;
}

}  // namespace virtgpu::backend
