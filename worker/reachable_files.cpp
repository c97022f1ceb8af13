#include "worker/reachable_files.h"

#include <link.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <set>

namespace virtgpu::worker {

namespace {

using sandbox::LoadingRules;

// Programs' libraries, drivers' manifests and settings, and what the system says of its devices.
constexpr std::array kSystemPlaces{"/usr",
                                   "/lib",
                                   "/lib64",
                                   "/opt",
                                   "/etc/ld.so.cache",
                                   "/etc/ld.so.preload",
                                   "/etc/localtime",
                                   "/etc/vulkan",
                                   "/etc/OpenCL",
                                   "/etc/nvidia",
                                   "/etc/drirc",
                                   "/etc/glvnd",
                                   "/sys",
                                   "/proc/self",
                                   "/proc/cpuinfo",
                                   "/proc/meminfo",
                                   "/proc/stat",
                                   "/proc/devices",
                                   "/proc/modules",
                                   "/proc/driver",
                                   "/proc/sys",
                                   "/dev/urandom",
                                   "/dev/zero"};
constexpr std::array kNamePlaces{"/etc/hosts",          "/etc/resolv.conf", "/etc/nsswitch.conf",
                                 "/etc/host.conf",      "/etc/gai.conf",    "/etc/services",
                                 "/run/systemd/resolve"};
constexpr std::array kDevices{"/dev/null", "/dev/dri", "/dev/kfd", "/dev/dxg", "/dev/nvidia-caps"};
// NVIDIA's driver names its threads there, and does without CUDA when it may not.
constexpr const char* kThreadNames = "/proc/self/task";
constexpr std::array kFolderVariables{"VK_DRIVER_FILES",     "VK_ICD_FILENAMES",
                                      "VK_ADD_DRIVER_FILES", "VK_LAYER_PATH",
                                      "LD_LIBRARY_PATH",     "GGML_VIRTGPU_BACKEND_DIR"};
// Drivers' variables for where to keep the code that they made.
constexpr std::array kCacheVariables{"MESA_SHADER_CACHE_DIR", "CUDA_CACHE_PATH",
                                     "__GL_SHADER_DISK_CACHE_PATH"};
constexpr uint16_t kDomainNames = 53;

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

template <typename Visitor>
void for_each_word(const std::string& list, char separator, Visitor visit) {
    size_t begin = 0;
    while (begin < list.size()) {
        const size_t end = std::min(list.find(separator, begin), list.size());
        if (end > begin)
            visit(list.substr(begin, end - begin));
        begin = end + 1;
    }
}

// Where our own libraries were found: the backends' are there too.
std::set<std::string> folders_of_loaded_libraries() {
    std::set<std::string> folders;
    const auto note = [](dl_phdr_info* library, size_t, void* found) {
        std::error_code error;
        const auto path = std::filesystem::canonical(library->dlpi_name, error);
        if (!error)
            static_cast<std::set<std::string>*>(found)->insert(path.parent_path().string());
        return 0;
    };
    ::dl_iterate_phdr(note, &folders);
    return folders;
}

bool computes_on_cpu(const std::string& backend) {
    const std::string name = std::filesystem::path(backend).filename().string();
    return ::strcasecmp(name.c_str(), "cpu") == 0 || ::strcasecmp(name.c_str(), "blas") == 0 ||
           name.starts_with("libggml-cpu");
}

// By their names or the paths of their libraries.
std::vector<std::string> named_backends(const backend::CatalogueOptions& options) {
    std::vector<std::string> named = options.backends;
    if (!options.library.path.empty())
        named.push_back(options.library.path);
    return named;
}

bool may_load_drivers(const backend::CatalogueOptions& options) {
    const std::vector<std::string> named = named_backends(options);
    const bool all = named.empty() && options.rpc_servers.empty();
    return all || std::any_of(named.begin(), named.end(), [](const std::string& backend) {
               return !computes_on_cpu(backend) && backend != "rpc";
           });
}

void add_devices(sandbox::Reachable& files) {
    files.writable.insert(files.writable.end(), kDevices.begin(), kDevices.end());
    files.writable.emplace_back(kThreadNames);
    std::error_code error;
    for (std::filesystem::directory_iterator entry("/dev", error), end; !error && entry != end;
         entry.increment(error))
        if (entry->path().filename().string().starts_with("nvidia"))
            files.writable.push_back(entry->path().string());
}

// One folder for all, unless the user has said otherwise.
void add_cache(sandbox::Reachable& files) {
    const std::string own = variable("XDG_CACHE_HOME");
    const std::string home = variable("HOME");
    if (own.empty() && home.empty())
        return;
    const auto folder =
        std::filesystem::path(own.empty() ? home + "/.cache" : own) / "ggml-virtgpu";
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    files.writable.push_back(folder.string());
    for (const char* const name : kCacheVariables) {
        ::setenv(name, folder.c_str(), /*replace=*/0);
        files.writable.push_back(variable(name));
    }
}

void add_servers(const std::vector<std::string>& servers, LoadingRules& rules) {
    if (servers.empty())
        return;
    rules.network = true;
    rules.files.readable.insert(rules.files.readable.end(), kNamePlaces.begin(), kNamePlaces.end());
    rules.files.ports.push_back(kDomainNames);
    for (const std::string& server : servers) {
        uint16_t port = 0;
        std::from_chars(server.data() + server.rfind(':') + 1, server.data() + server.size(), port);
        if (port != 0)
            rules.files.ports.push_back(port);
    }
}

}  // namespace

LoadingRules loading_rules(const backend::CatalogueOptions& options,
                           const std::string& trace_folder) {
    LoadingRules rules;
    auto& readable = rules.files.readable;
    readable.assign(kSystemPlaces.begin(), kSystemPlaces.end());
    readable.push_back(backend::library_folder(options));
    for (const std::string& folder : folders_of_loaded_libraries())
        readable.push_back(folder);
    for (const std::string& backend : named_backends(options))
        if (backend.find('/') != std::string::npos)
            readable.push_back(std::filesystem::path(backend).parent_path().string());
    if (!trace_folder.empty())
        rules.files.writable.push_back(trace_folder);
    if (may_load_drivers(options)) {
        for (const char* const name : kFolderVariables)
            for_each_word(variable(name), ':',
                          [&](std::string path) { readable.push_back(std::move(path)); });
        add_devices(rules.files);
        add_cache(rules.files);
    }
    add_servers(options.rpc_servers, rules);
    return rules;
}

void add_library_folder(const std::string& library, LoadingRules& rules) {
    std::error_code error;
    const auto path = std::filesystem::canonical(library, error);
    if (!error)
        rules.files.readable.push_back(path.parent_path().string());
    rules.files.readable.push_back(std::filesystem::path(library).parent_path().string());
}

}  // namespace virtgpu::worker
