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
         .help = "Memory that a guest can share with the host, a power of two such as 16G",
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
    for (const auto& part :
         {connection_rows(), access_rows(), worker_rows(), tenant_rows(), question_rows()})
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
