#include "host/option_table.h"

#include <algorithm>

namespace virtgpu::host {

namespace {

// ggml's own limit (GGML_MAX_N_THREADS), which the worker refuses to exceed.
constexpr int kMaxThreads = 512;

std::string help_of(const OptionRow& row) {
    std::string help(row.help);
    if (!row.default_value.empty())
        help += "; default: " + std::string(row.default_value);
    std::vector<std::string> elsewhere = variables_of(row);
    if (!row.key.empty())
        elsewhere.emplace_back(row.key);
    return elsewhere.empty() ? help : help + " [" + wire::join(elsewhere) + "]";
}

// One value, the last that is given. `member` finds its place in a Draft.
template <typename Member>
OptionRow::Declare value(Member member, const CLI::Validator& check = {}) {
    return [member, check](CLI::App& app, const OptionRow& row, Draft& draft) {
        return app.add_option(std::string(row.names), member(draft), help_of(row))
            ->type_name(std::string(row.value))
            ->take_last()
            ->check(check);
    };
}

// Any number of values: the option is repeated, or they are separated by commas.
template <typename Member>
OptionRow::Declare list(Member member) {
    return [member](CLI::App& app, const OptionRow& row, Draft& draft) {
        return app.add_option(std::string(row.names), member(draft), help_of(row))
            ->type_name(std::string(row.value))
            ->delimiter(',')
            ->allow_extra_args(false);
    };
}

template <typename Member>
OptionRow::Declare flag(Member member) {
    return [member](CLI::App& app, const OptionRow& row, Draft& draft) {
        return app.add_flag(std::string(row.names), member(draft), help_of(row));
    };
}

std::vector<OptionRow> connection_rows() {
    return {
        {.names = "--config",
         .variables = "GGML_VIRTGPU_HOST_CONFIG",
         .value = "FILE",
         .help = "Read options from this TOML file",
         .with_devices = true,
         .declare = value([](Draft & d) -> auto& { return d.configuration_file; })},
        {.names = "--socket-path",
         .variables = "GGML_VIRTGPU_HOST_SOCKET_PATH",
         .key = "listen.machines",
         .value = "PATH",
         .help = "Listen for VMMs (vhost-user) here",
         .declare = value([](Draft & d) -> auto& { return d.options.listen.machines; })},
        {.names = "--fd",
         .value = "N",
         .help = "Serve the VMM that is connected to this descriptor",
         .declare = value(
             [](Draft & d) -> auto& { return d.connection; }, CLI::NonNegativeNumber)},
        {.names = "--listen",
         .variables = "GGML_VIRTGPU_HOST_LISTEN",
         .key = "listen.containers",
         .value = "PATH",
         .help = "Listen for containers here",
         .declare = value([](Draft & d) -> auto& { return d.options.listen.containers; })},
        {.names = "--route-venus-to-apir",
         .variables = "VIRGL_ROUTE_VENUS_TO_APIR",
         .key = "apir.route_venus",
         .help = "Serve VMs on the capset of Venus too, where a guest's frontend looks first that "
                 "does not set GGML_REMOTING_USE_APIR_CAPSET; the guest then has no Vulkan",
         .presence = true,
         .declare = flag([](Draft & d) -> auto& { return d.route_venus; })},
    };
}

std::vector<OptionRow> access_rows() {
    return {
        {.names = "--socket-mode",
         .variables = "GGML_VIRTGPU_HOST_SOCKET_MODE",
         .key = "access.mode",
         .value = "MODE",
         .help = "Mode of the sockets' files, such as 0660; connecting takes the right to write",
         .default_value = "what the umask leaves",
         .declare = value([](Draft & d) -> auto& { return d.socket_mode; })},
        {.names = "--socket-group",
         .variables = "GGML_VIRTGPU_HOST_SOCKET_GROUP",
         .key = "access.group",
         .value = "GROUP",
         .help = "Group of the sockets' files",
         .declare = value([](Draft & d) -> auto& { return d.options.listen.group; })},
        {.names = "--allow-user",
         .variables = "GGML_VIRTGPU_HOST_ALLOW_USER",
         .key = "access.users",
         .value = "USER",
         .help = "Serve this user, those of --allow-group and nobody else; repeatable",
         .default_value = "whom the sockets' files let in",
         .declare = list([](Draft & d) -> auto& { return d.options.listen.allowed.users; })},
        {.names = "--allow-group",
         .variables = "GGML_VIRTGPU_HOST_ALLOW_GROUP",
         .key = "access.groups",
         .value = "GROUP",
         .help =
             "Serve the members of this group, those of --allow-user and nobody else; repeatable",
         .declare = list([](Draft & d) -> auto& { return d.options.listen.allowed.groups; })},
    };
}

std::vector<OptionRow> worker_rows() {
    return {
        {.names = "--backend",
         .variables = "GGML_VIRTGPU_HOST_BACKEND",
         .key = "compute.backend",
         .value = "NAME|PATH",
         .help = "ggml backend to compute with: cpu, vulkan, cuda, hip, rpc, ... or a library's "
                 "path; repeatable",
         .default_value = "all that are installed",
         .with_devices = true,
         .declare = list([](Draft & d) -> auto& { return d.options.tenant.worker.backends; })},
        {.names = "--apir-library",
         .variables = "VIRGL_APIR_BACKEND_LIBRARY,GGML_VIRTGPU_BACKEND_LIBRARY",
         .key = "apir.load_library.path",
         .value = "PATH",
         .help =
             "Library that computes instead of this host, with the functions that virglrenderer's "
             "APIR loads; guests then have level 1 alone, and a worker for each of their processes",
         .default_value = "none",
         .declare = value([](Draft & d) -> auto& { return d.options.tenant.worker.apir_library; })},
        {.names = "--ggml-library",
         .variables = "APIR_LLAMA_CPP_GGML_LIBRARY_PATH",
         .key = "ggml.library.path",
         .value = "PATH",
         .help = "Library of a ggml backend to compute with, beside those of --backend",
         .with_devices = true,
         .declare = value([](Draft & d) -> auto& { return d.options.tenant.worker.ggml_library; })},
        {.names = "--ggml-library-reg",
         .variables = "APIR_LLAMA_CPP_GGML_LIBRARY_REG",
         .key = "ggml.library.reg",
         .value = "NAME",
         .help = "Function of that library that registers the backend",
         .default_value = "ggml_backend_init",
         .with_devices = true,
         .declare =
             value([](Draft & d) -> auto& { return d.options.tenant.worker.ggml_library_reg; })},
        {.names = "--ggml-library-init",
         .variables = "APIR_LLAMA_CPP_GGML_LIBRARY_INIT",
         .key = "ggml.library.init",
         .value = "NAME",
         .help = "Function of that library that is called before, without arguments",
         .default_value = "none",
         .with_devices = true,
         .declare =
             value([](Draft & d) -> auto& { return d.options.tenant.worker.ggml_library_init; })},
        {.names = "--rpc",
         .variables = "GGML_VIRTGPU_HOST_RPC",
         .key = "compute.rpc",
         .value = "HOST:PORT,...",
         .help = "ggml-rpc-servers to compute on, through the backend rpc, which this implies",
         .with_devices = true,
         .declare = list([](Draft & d) -> auto& { return d.options.tenant.worker.rpc; })},
        {.names = "--device",
         .variables = "GGML_VIRTGPU_HOST_DEVICE",
         .key = "compute.device",
         .value = "NAME",
         .help = "Device to offer, by the name that `devices` prints; repeatable",
         .default_value = "the GPUs, or the CPU where there is none",
         .with_devices = true,
         .declare = list([](Draft & d) -> auto& { return d.options.tenant.worker.devices; })},
        {.names = "--threads",
         .variables = "GGML_VIRTGPU_HOST_THREADS",
         .key = "compute.threads",
         .value = "N",
         .help = "Threads of a CPU backend",
         .default_value = "one per processor",
         .with_devices = true,
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.worker.threads; },
             CLI::Range(1, kMaxThreads))},
        {.names = "--repack,!--no-repack",
         .variables = "GGML_VIRTGPU_HOST_REPACK",
         .key = "compute.repack",
         .help = "Keep copies of weights in the layout that a CPU computes fastest with; without: "
                 "less memory, slower",
         .default_value = "true",
         .with_devices = true,
         .declare = flag([](Draft & d) -> auto& { return d.options.tenant.worker.repack; })},
        {.names = "--worker",
         .variables = "GGML_VIRTGPU_WORKER",
         .key = "compute.worker",
         .value = "PATH",
         .help = "Program that computes",
         .default_value = "the ggml-virtgpu-worker installed with this program",
         .with_devices = true,
         .declare = value([](Draft & d) -> auto& { return d.worker; })},
    };
}

std::vector<OptionRow> tenant_rows() {
    return {
        {.names = "--window",
         .variables = "GGML_VIRTGPU_HOST_WINDOW",
         .key = "memory.window",
         .value = "SIZE",
         .help = "Memory that a guest can share with the host, a power of two such as 16G; 0: a VM "
                 "shares its own memory instead, a container the default",
         .default_value = "half of this machine's memory, at most 64G",
         .declare = value([](Draft & d) -> auto& { return d.window; })},
        {.names = "--trace",
         .variables = "GGML_VIRTGPU_HOST_TRACE",
         .key = "log.trace",
         .value = "FOLDER",
         .help = "Write when each request was carried out into this folder, 150 bytes each, "
                 "without a limit; see tools/trace",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.worker.trace_folder; },
             CLI::ExistingDirectory)},
        {.names = "--log-level",
         .variables = "GGML_VIRTGPU_HOST_LOG_LEVEL",
         .key = "log.level",
         .value = "LEVEL",
         .help = "debug, info, warning or error",
         .default_value = "info",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.log_level; },
             CLI::IsMember({"debug", "info", "warning", "error"}))},
        {.names = "--log-file",
         .variables = "VIRGL_APIR_LOG_TO_FILE",
         .key = "log.file",
         .value = "PATH",
         .help = "Append the log to this file too, with debug messages",
         .declare = value([](Draft & d) -> auto& { return d.options.log_file; })},
        {.names = "--worker-log-file",
         .variables = "APIR_LLAMA_CPP_LOG_TO_FILE",
         .key = "log.worker_file",
         .value = "PATH",
         .help = "Append the log of what computes, ggml's messages included, to this file too, "
                 "with debug messages",
         .declare = value([](Draft & d) -> auto& { return d.options.tenant.worker.log_file; })},
    };
}

std::vector<OptionRow> sandbox_rows() {
    return {
        {.names = "--sandbox",
         .variables = "GGML_VIRTGPU_HOST_SANDBOX",
         .key = "sandbox.mode",
         .value = "MODE",
         .help = "strict: all processes that guests reach give up what they do not need; no: they "
                 "do not, for guests that are trusted",
         .default_value = "strict",
         .with_devices = true,
         .declare = value(
             [](Draft & d) -> auto& { return d.sandbox; }, CLI::IsMember({"strict", "no"}))},
        {.names = "--worker-per-context",
         .variables = "GGML_VIRTGPU_HOST_WORKER_PER_CONTEXT",
         .key = "sandbox.worker_per_context",
         .help = "Compute for each process of a VM in a process of its own, so that none of them "
                 "reaches or ends the others",
         .default_value = "false",
         .declare = flag([](Draft & d) -> auto& { return d.options.tenant.worker_per_context; })},
    };
}

std::vector<OptionRow> limit_rows() {
    return {
        {.names = "--memory",
         .variables = "GGML_VIRTGPU_HOST_MEMORY",
         .key = "limits.memory",
         .value = "SIZE",
         .help = "Memory of the devices that a tenant can hold, such as 8G; guests see it as the "
                 "devices' memory",
         .default_value = "what the devices have",
         .declare = value([](Draft & d) -> auto& { return d.memory; })},
        {.names = "--max-contexts",
         .variables = "GGML_VIRTGPU_HOST_MAX_CONTEXTS",
         .key = "limits.contexts",
         .value = "N",
         .help = "Processes of a VM that compute at a time",
         .default_value = "128",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.limits.contexts; },
             CLI::Range(1, 1024))},
        {.names = "--max-regions",
         .variables = "GGML_VIRTGPU_HOST_MAX_REGIONS",
         .key = "limits.regions",
         .value = "N",
         .help = "Pieces of shared memory of a tenant",
         .default_value = "2048",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.limits.regions; },
             CLI::Range(4, 16384))},
        {.names = "--max-queue",
         .variables = "GGML_VIRTGPU_HOST_MAX_QUEUE",
         .key = "limits.queue",
         .value = "SIZE",
         .help = "Bytes of requests that wait in one stream, 256K at least",
         .default_value = "16M",
         .declare = value([](Draft & d) -> auto& { return d.queue; })},
        {.names = "--max-buffers",
         .variables = "GGML_VIRTGPU_HOST_MAX_BUFFERS",
         .key = "limits.buffers",
         .value = "N",
         .help = "Buffers of one process of a guest",
         .default_value = "65536",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.worker.buffers; },
             CLI::Range(1, 1048576))},
        {.names = "--max-graph-tensors",
         .variables = "GGML_VIRTGPU_HOST_MAX_GRAPH_TENSORS",
         .key = "limits.graph_tensors",
         .value = "N",
         .help = "Tensors in all graphs that one stream keeps, about 1 KiB each",
         .default_value = "262144",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.worker.graph_tensors; },
             CLI::Range(1024, 262144))},
        {.names = "--graph-seconds",
         .variables = "GGML_VIRTGPU_HOST_GRAPH_SECONDS",
         .key = "limits.graph_seconds",
         .value = "N",
         .help =
             "Seconds that one graph may take, or one call of --apir-library, whose start has 60 "
             "at least; then its process of the guest loses the device, and its worker ends "
             "where the backend cannot stop; 0: no limit",
         .default_value = "600",
         .declare = value(
             [](Draft & d) -> auto& { return d.options.tenant.worker.graph_seconds; },
             CLI::Range(0, 86400))},
    };
}

std::vector<OptionRow> question_rows() {
    return {
        {.names = "--print-capabilities",
         .help = "Print what this vhost-user program can do, as JSON",
         .declare = flag([](Draft & d) -> auto& { return d.print_capabilities; })},
        {.names = "--version",
         .help = "Print the versions of all parts",
         .declare = flag([](Draft & d) -> auto& { return d.print_version; })},
    };
}

std::vector<std::string> split(std::string_view words) {
    std::vector<std::string> parts;
    while (!words.empty()) {
        const size_t end = std::min(words.find(','), words.size());
        parts.emplace_back(words.substr(0, end));
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return parts;
}

}  // namespace

std::vector<OptionRow> option_table() {
    std::vector<OptionRow> table;
    for (const auto& part : {connection_rows(), access_rows(), worker_rows(), tenant_rows(),
                             sandbox_rows(), limit_rows(), question_rows()})
        table.insert(table.end(), part.begin(), part.end());
    return table;
}

std::string shown_names(const OptionRow& row) {
    std::vector<std::string> names = split(row.names);
    for (std::string& name : names)
        name.erase(0, name.find('-'));
    return wire::join(names);
}

std::vector<std::string> variables_of(const OptionRow& row) {
    return split(row.variables);
}

}  // namespace virtgpu::host
