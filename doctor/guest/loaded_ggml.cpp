#include "doctor/guest/loaded_ggml.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <chrono>

namespace virtgpu::doctor {

using wire::Fault;
using wire::Result;

namespace {

constexpr const char* kPlugin = "libggml-virtgpu.so";
constexpr const char* kRegistry = "virtgpu";
constexpr int kQuestions = 101;

// A function of ggml; its type is that of the declaration in ggml's headers.
template <typename Function>
Result<Function*> find(void* library, const char* name) {
    void* const address = ::dlsym(library, name);
    if (address == nullptr)
        return wire::fail(Fault::kRefused, "it has no {}", name);
    return reinterpret_cast<Function*>(address);
}

#define VIRTGPU_FIND(library, name) TRY(find<decltype(::name)>(library, #name))

// Path of a loaded library by the end of its name; empty where none is loaded.
std::string loaded_path(const std::string& name) {
    struct Search {
        const std::string& name;
        std::string found;
    } search{name, {}};
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* data) {
            auto& wanted = *static_cast<Search*>(data);
            const std::string path = info->dlpi_name;
            if (path.find(wanted.name) == std::string::npos)
                return 0;
            wanted.found = path;
            return 1;
        },
        &search);
    return search.found;
}

// A request that the worker answers: the median of some.
Result<double> round_trip(void* library, ggml_backend_dev_t device) {
    auto* const memory = VIRTGPU_FIND(library, ggml_backend_dev_memory);
    std::vector<double> times;
    for (int i = 0; i < kQuestions; ++i) {
        size_t free = 0;
        size_t total = 0;
        const auto start = std::chrono::steady_clock::now();
        memory(device, &free, &total);
        times.push_back(
            std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start)
                .count());
    }
    std::nth_element(times.begin(), times.begin() + kQuestions / 2, times.end());
    return times[kQuestions / 2];
}

Result<void> ask_plugin(void* library, ggml_backend_reg_t registry, GgmlAnswer& answer) {
    auto* const count = VIRTGPU_FIND(library, ggml_backend_reg_dev_count);
    auto* const get = VIRTGPU_FIND(library, ggml_backend_reg_dev_get);
    auto* const name = VIRTGPU_FIND(library, ggml_backend_dev_name);
    auto* const description = VIRTGPU_FIND(library, ggml_backend_dev_description);
    for (size_t i = 0; i < count(registry); ++i) {
        const ggml_backend_dev_t device = get(registry, i);
        answer.devices.push_back(wire::format("{}: {}", name(device), description(device)));
    }
    if (!answer.devices.empty())
        answer.round_trip = TRY(round_trip(library, get(registry, 0)));
    return {};
}

}  // namespace

Result<GgmlAnswer> ask_ggml(const std::string& name) {
    void* const library = ::dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr)
        return wire::fail(Fault::kRefused, "{}", ::dlerror());
    GgmlAnswer answer;
    answer.library = loaded_path("libggml.so");
    answer.version = VIRTGPU_FIND(library, ggml_version)();
    VIRTGPU_FIND(library, ggml_backend_load_all)();
    answer.plugin = loaded_path(kPlugin);
    auto* const get = VIRTGPU_FIND(library, ggml_backend_reg_get);
    auto* const registry_name = VIRTGPU_FIND(library, ggml_backend_reg_name);
    const size_t count = VIRTGPU_FIND(library, ggml_backend_reg_count)();
    for (size_t i = 0; i < count; ++i) {
        const ggml_backend_reg_t registry = get(i);
        answer.backends.emplace_back(registry_name(registry));
        if (answer.backends.back() == kRegistry)
            TRY(ask_plugin(library, registry, answer));
    }
    return answer;
}

}  // namespace virtgpu::doctor
