#include "tools/benchmark/devices.h"

#include <cstring>

namespace virtgpu::benchmark {

namespace {

using AddServer = ggml_backend_reg_t (*)(const char* endpoint);

void connect_to_server(const char* endpoint) {
    ggml_backend_reg_t const rpc = ggml_backend_reg_by_name("RPC");
    if (rpc == nullptr)
        return;
    const auto add = reinterpret_cast<AddServer>(
        ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server"));
    ggml_backend_reg_t const server = add == nullptr ? nullptr : add(endpoint);
    if (server != nullptr)
        ggml_backend_register(server);
}

}  // namespace

ggml_backend_dev_t find_device(const char* name, const char* folder) {
    ggml_backend_load_all_from_path(folder);
    if (std::strchr(name, ':') == nullptr)
        return ggml_backend_dev_by_name(name);
    connect_to_server(name);
    return ggml_backend_dev_by_name("RPC0");
}

}  // namespace virtgpu::benchmark
