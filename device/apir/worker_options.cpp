#include "device/apir/worker_options.h"

namespace virtgpu::apir {

std::vector<std::string> worker_command(const WorkerOptions& options) {
    std::vector<std::string> command{options.program};
    const auto add_text = [&command](const char* name, const std::string& text) {
        if (!text.empty())
            command.insert(command.end(), {name, text});
    };
    for (const std::string& backend : options.backends)
        command.insert(command.end(), {"--backend", backend});
    add_text("--host-version", options.host_version);
    add_text("--apir-library", options.apir_library);
    add_text("--ggml-library", options.ggml_library);
    add_text("--ggml-library-reg", options.ggml_library_reg);
    add_text("--ggml-library-init", options.ggml_library_init);
    for (const std::string& endpoint : options.rpc)
        command.insert(command.end(), {"--rpc", endpoint});
    for (const std::string& device : options.devices)
        command.insert(command.end(), {"--device", device});
    if (options.threads)
        command.insert(command.end(), {"--threads", std::to_string(*options.threads)});
    add_text("--trace", options.trace_folder);
    if (!options.repack)
        command.emplace_back("--no-repack");
    add_text("--log-file", options.log_file);
    if (options.memory != 0)
        command.insert(command.end(), {"--memory", std::to_string(options.memory)});
    const WorkerOptions usual;
    if (options.buffers != usual.buffers)
        command.insert(command.end(), {"--max-buffers", std::to_string(options.buffers)});
    if (options.graph_tensors != usual.graph_tensors)
        command.insert(command.end(),
                       {"--max-graph-tensors", std::to_string(options.graph_tensors)});
    if (options.graph_seconds != usual.graph_seconds)
        command.insert(command.end(), {"--graph-seconds", std::to_string(options.graph_seconds)});
    if (!options.sandboxed)
        command.insert(command.end(), {"--sandbox", "no"});
    add_text("--log-level", options.log_level);
    return command;
}

}  // namespace virtgpu::apir
