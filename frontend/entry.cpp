// The two functions that libggml looks for in a plug-in.
#include <cstdlib>
#include <memory>
#include <string_view>

#include "frontend/plugin/boundary.h"
#include "frontend/plugin/discovery.h"
#include "frontend/plugin/registry.h"
#include "frontend/stderr_log.h"
#include "ggml_private/ggml_plugin_abi.h"

namespace virtgpu::frontend {

namespace {

struct Plugin {
    explicit Plugin(bool verbose) : log(verbose) {}

    StderrLog log;
    std::unique_ptr<wire::Trace> trace;  // null: nothing is traced
    std::unique_ptr<Registry> registry;  // null where ggml's version is not supported
};

bool is_on(const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr && std::string_view(value) != "0" && *value != '\0';
}

std::unique_ptr<wire::Trace> make_trace(wire::Log& log) {
    const char* const folder = std::getenv("GGML_VIRTGPU_TRACE");
    if (folder == nullptr || *folder == '\0')
        return nullptr;
    auto trace = wire::Trace::create(folder, "guest");
    if (!trace)
        log.warning("{}", trace.error().message());
    return trace ? std::move(*trace) : nullptr;
}

std::unique_ptr<Plugin> make_plugin() {
    auto plugin = std::make_unique<Plugin>(is_on("GGML_VIRTGPU_DEBUG"));
    at_boundary(plugin->log, 0, [&] {
        plugin->trace = make_trace(plugin->log);
        const HostChoice choice{std::getenv("GGML_VIRTGPU_SOCKET"),
                                std::getenv("GGML_REMOTING_USE_APIR_CAPSET") != nullptr,
                                plugin->trace.get()};
        const auto abi = ggml_private::plugin_abi_of(ggml_version());
        if (!abi) {
            // Whoever has no device of ours need not know.
            if (host_is_there(choice, plugin->log))
                plugin->log.warning("ggml {} is not supported; 0.23 or newer is", ggml_version());
            else
                plugin->log.debug("ggml {} is not supported; 0.23 or newer is", ggml_version());
            return 0;
        }
        plugin->registry = std::make_unique<Registry>(
            *abi, RegistrySettings{is_on("GGML_VIRTGPU_OBEY_THREADS")}, plugin->log);
        for (FoundHost& host : connect_to_hosts(choice, plugin->log))
            plugin->registry->add(std::move(host.connection), std::move(host.connect));
        return 0;
    });
    return plugin;
}

ggml_backend_reg_t the_registry() {
    // Never destroyed: the application's own exit handlers may still use the devices, and the host
    // frees everything when the process' files are closed.
    static Plugin* const plugin = make_plugin().release();
    return plugin->registry ? plugin->registry->get() : nullptr;
}

}  // namespace

}  // namespace virtgpu::frontend

extern "C" {

__attribute__((visibility("default"))) ggml_backend_reg_t ggml_backend_init();
__attribute__((visibility("default"))) int ggml_backend_score();

// ggml may call it more than once.
ggml_backend_reg_t ggml_backend_init() {
    try {
        return virtgpu::frontend::the_registry();
    } catch (...) {
        return nullptr;
    }
}

// Not 0: usable. With no device the registry is empty, as that of other backends.
int ggml_backend_score() {
    return 1;
}
}
