#include "host/options.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>

#include "host/configuration_file.h"
#include "host/file_mode.h"
#include "host/option_table.h"
#include "host/size.h"
#include "host/socket_activation.h"
#include "host/worker_program.h"

namespace virtgpu::host {

using wire::Fault;
using wire::Result;

namespace {

// What a frontend needs before it computes anything.
constexpr uint64_t kSmallestMemory = uint64_t{16} << 20;
constexpr uint64_t kSmallestQueue = uint64_t{256} << 10;

constexpr const char* kExamples = R"(Examples:

A VM (QEMU 11.1 or newer; start this program first):

  ggml-virtgpu-host --socket-path /run/user/$UID/vgpu.sock --backend cpu
  qemu-system-x86_64 -accel kvm -cpu max -m 4G ... \
      -machine q35,memory-backend=memory \
      -object memory-backend-memfd,id=memory,size=4G,share=on \
      -chardev socket,id=vgpu,path=/run/user/$UID/vgpu.sock \
      -device vhost-user-test-device-pci,chardev=vgpu,virtio-id=16,num_vqs=2,vq_size=256,config_size=16

A container (or any program of this machine):

  ggml-virtgpu-host --listen /run/user/$UID/vgpu-containers.sock
  podman run -v /run/user/$UID/vgpu-containers.sock:/run/vgpu.sock \
      -e GGML_VIRTGPU_SOCKET=/run/vgpu.sock ...
)";

// The options of one application or subcommand, by the key of their rows.
class DeclaredOptions {
 public:
    DeclaredOptions(CLI::App& app, const std::vector<OptionRow>& table, bool devices,
                    Draft& draft) {
        for (const OptionRow& row : table)
            if (!devices || row.with_devices)
                options_.emplace(row.names, row.declare(app, row, draft));
    }

    // Null where the row is not declared.
    CLI::Option* find(const OptionRow& row) const {
        const auto found = options_.find(row.names);
        return found == options_.end() ? nullptr : found->second;
    }

    bool given(const OptionRow& row) const {
        const CLI::Option* const option = find(row);
        return option != nullptr && option->count() > 0;
    }

 private:
    std::map<std::string_view, CLI::Option*> options_;
};

// `source` is for the message: where the words come from.
Result<void> set(CLI::Option& option, const std::vector<std::string>& words,
                 const std::string& source) try {
    option.add_result(words);
    option.run_callback();
    return {};
} catch (const CLI::Error& error) {
    return wire::fail(Fault::kRefused, "{}: {}", source, error.what());
}

// True when the environment sets it. A variable that is empty counts as one that is not there,
// but for those whose presence counts.
Result<bool> set_from_environment(const OptionRow& row, CLI::Option& option) {
    for (const std::string& variable : variables_of(row)) {
        const char* const text = std::getenv(variable.c_str());
        if (text == nullptr || (*text == '\0' && !row.presence))
            continue;
        TRY(set(option, {row.presence ? "true" : text}, variable));
        return true;
    }
    return false;
}

Result<void> check_keys(const Configuration& configuration, const std::vector<OptionRow>& table,
                        const std::string& path) {
    for (const auto& [key, value] : configuration) {
        const bool known =
            std::any_of(table.begin(), table.end(),
                        [&, &key = key](const OptionRow& row) { return row.key == key; });
        if (known)
            continue;
        std::vector<std::string> keys;
        for (const OptionRow& row : table)
            if (!row.key.empty())
                keys.emplace_back(row.key);
        return wire::fail(Fault::kRefused, "{}:{}: there is no key {}; there are: {}", path,
                          value.line, key, wire::join(keys));
    }
    return {};
}

Result<void> set_from_file(const OptionRow& row, CLI::Option& option,
                           const Configuration& configuration, const std::string& path) {
    const auto found = configuration.find(std::string(row.key));
    if (found == configuration.end())
        return {};
    return set(option, found->second.words,
               wire::format("{}:{}: {}", path, found->second.line, row.key));
}

// What the command line leaves open is set by the environment, and what that leaves open by the
// file. The row of --config is the table's first, so that the file is known in time.
Result<void> fill_in(const std::vector<OptionRow>& table, const DeclaredOptions& app,
                     std::initializer_list<const DeclaredOptions*> subcommands,
                     const Draft& draft) {
    std::optional<Configuration> configuration;
    for (const OptionRow& row : table) {
        const bool open = !app.given(row) &&
                          std::none_of(subcommands.begin(), subcommands.end(),
                                       [&](const auto* command) { return command->given(row); });
        if (open && !TRY(set_from_environment(row, *app.find(row))) && configuration)
            TRY(set_from_file(row, *app.find(row), *configuration, draft.configuration_file));
        if (!configuration && !draft.configuration_file.empty()) {
            configuration = TRY(read_configuration(draft.configuration_file));
            TRY(check_keys(*configuration, table, draft.configuration_file));
        }
    }
    return {};
}

// What a tenant computes with and what it shares are counted apart, each against the limit.
Result<void> set_limits(Draft& draft) {
    device::TenantOptions& tenant = draft.options.tenant;
    if (!draft.memory.empty()) {
        tenant.worker.memory = TRY(parse_size(draft.memory));
        if (tenant.worker.memory < kSmallestMemory)
            return wire::fail(Fault::kRefused, "--memory takes at least 16M, not '{}'",
                              draft.memory);
        const uint64_t largest = std::bit_floor(tenant.worker.memory);
        tenant.window_size = std::min(tenant.window_size, largest);
        tenant.container_window_size = std::min(tenant.container_window_size, largest);
    }
    if (!draft.queue.empty()) {
        tenant.limits.queue_bytes = TRY(parse_size(draft.queue));
        if (tenant.limits.queue_bytes < kSmallestQueue)
            return wire::fail(Fault::kRefused, "--max-queue takes at least 256K, not '{}'",
                              draft.queue);
    }
    return {};
}

// Without one, VMs share their own memory; containers have nothing else to share.
Result<void> set_windows(Draft& draft) {
    device::TenantOptions& tenant = draft.options.tenant;
    tenant.window_size = default_window_size();
    if (!draft.window.empty())
        tenant.window_size = TRY(check_window_size(TRY(parse_size(draft.window))));
    tenant.container_window_size =
        tenant.window_size != 0 ? tenant.window_size : default_window_size();
    return {};
}

// Upstream's library takes one context in its process, and knows no rings.
void set_manner_of_library(device::TenantOptions& tenant) {
    if (tenant.worker.apir_library.empty())
        return;
    tenant.worker_per_context = true;
    tenant.limits.level2 = false;
}

Result<void> complete(Draft& draft) {
    Options& options = draft.options;
    if (draft.connection >= 0)
        options.connection = draft.connection;
    if (!draft.socket_mode.empty())
        options.listen.mode = TRY(parse_file_mode(draft.socket_mode));
    if (options.task == Task::kServe)
        options.listen.activated = TRY(take_activated_sockets());
    if (options.task == Task::kServe && options.listen.anywhere() == options.connection.has_value())
        return wire::fail(Fault::kRefused,
                          "say whom to serve: --socket-path PATH, --listen PATH, or --fd N alone");
    TRY(set_windows(draft));
    TRY(set_limits(draft));
    set_manner_of_library(options.tenant);
    options.sandbox = draft.sandbox == "no" ? sandbox::Mode::kNone : sandbox::Mode::kStrict;
    options.tenant.worker.sandboxed = options.sandbox == sandbox::Mode::kStrict;
    options.tenant.worker.log_level = options.log_level;
    if (draft.route_venus)
        options.tenant.capsets = gpu::CapsetOptions::kApirAndVenus;
    if (options.task == Task::kExamine)
        // That it is missing is for the doctor to say.
        options.tenant.worker.program = find_worker(draft.worker).value_or(kWorkerName);
    else if (options.task != Task::kPrintCapabilities)
        options.tenant.worker.program = TRY(find_worker(draft.worker));
    return {};
}

void declare_doctor(CLI::App& app, DoctorOptions& options) {
    app.add_flag("--json", options.json, "Print the report as JSON");
    app.add_option("--qemu", options.qemu, "QEMU to look at; default: qemu-system-x86_64")
        ->type_name("PROGRAM")
        ->take_last();
    app.add_option("QEMU-COMMAND", options.qemu_command,
                   "Behind `--`: a whole QEMU command line to look at; default: the VMs that run")
        ->type_name("");
}

Task task_of(const Draft& draft, bool list_devices, bool examine) {
    if (list_devices)
        return Task::kListDevices;
    if (examine)
        return Task::kExamine;
    if (draft.print_capabilities)
        return Task::kPrintCapabilities;
    return draft.print_version ? Task::kPrintVersion : Task::kServe;
}

}  // namespace

std::variant<Options, int> parse_options(int argc, char** argv) {
    Draft draft;
    CLI::App app("Lets VMs and containers compute on this machine's ggml backends.",
                 "ggml-virtgpu-host");
    const std::vector<OptionRow> table = option_table();
    const DeclaredOptions of_app(app, table, false, draft);
    app.footer(kExamples);
    CLI::App* devices = app.add_subcommand("devices", "List what this machine offers");
    const DeclaredOptions of_devices(*devices, table, true, draft);
    CLI::App* doctor = app.add_subcommand("doctor", "Say what is wrong here, and what to do");
    const DeclaredOptions of_doctor(*doctor, table, false, draft);
    declare_doctor(*doctor, draft.options.doctor);
    CLI11_PARSE(app, argc, argv);
    draft.options.task = task_of(draft, devices->parsed(), doctor->parsed());
    auto ready = fill_in(table, of_app, {&of_devices, &of_doctor}, draft);
    if (ready)
        ready = complete(draft);
    if (!ready) {
        wire::print(stderr, "ggml-virtgpu-host: {}\n", ready.error().message());
        return 1;
    }
    return draft.options;
}

}  // namespace virtgpu::host
