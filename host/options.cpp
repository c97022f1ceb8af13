#include "host/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "host/size.h"
#include "host/worker_program.h"

namespace virtgpu::host {

namespace {

// ggml's own limit (GGML_MAX_N_THREADS), which the worker refuses to exceed.
constexpr int kMaxThreads = 512;

constexpr const char* kExamples = R"(
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

struct CommandLine {
    std::string worker;
    std::string window;
    int connection = -1;
    bool print_capabilities = false;
    bool print_version = false;
};

void add_worker_options(CLI::App& app, apir::WorkerOptions& worker, CommandLine& line) {
    app.add_option("--backend", worker.backends,
                   "ggml backend to compute with: cpu, vulkan, cuda, hip, rpc, ... or a library's "
                   "path; repeatable; default: all that are installed")
        ->type_name("NAME|PATH")
        ->allow_extra_args(false);
    app.add_option("--rpc", worker.rpc,
                   "ggml-rpc-servers to compute on, through the backend rpc, which this implies")
        ->type_name("HOST:PORT,...")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--device", worker.devices,
                   "Device to offer, by the name that `devices` prints; repeatable")
        ->type_name("NAME")
        ->allow_extra_args(false);
    app.add_option("--threads", worker.threads, "Threads of a CPU backend")
        ->type_name("N")
        ->check(CLI::Range(1, kMaxThreads));
    app.add_flag("--no-repack{false}", worker.repack,
                 "Keep no copies of weights in the layout that a CPU computes fastest with: "
                 "less memory, slower");
    app.add_option("--worker", line.worker, "Program that computes")->type_name("PATH");
}

void add_options(CLI::App& app, Options& options, CommandLine& line) {
    app.add_option("--socket-path", options.listen.machines, "Listen for VMMs (vhost-user) here")
        ->type_name("PATH");
    app.add_option("--fd", line.connection, "Serve the VMM that is connected to this descriptor")
        ->type_name("N")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--listen", options.listen.containers, "Listen for containers here")
        ->type_name("PATH");
    add_worker_options(app, options.tenant.worker, line);
    app.add_option("--window", line.window,
                   "Memory that a guest can share with the host, a power of two such as 16G; "
                   "default: half of this machine's memory, at most 64G")
        ->type_name("SIZE");
    app.add_option("--trace", options.tenant.worker.trace_folder,
                   "Write when each request was carried out into this folder, 150 bytes each, "
                   "without a limit; see tools/trace")
        ->type_name("FOLDER")
        ->check(CLI::ExistingDirectory);
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->capture_default_str()
        ->take_last()
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
    app.add_flag("--print-capabilities", line.print_capabilities,
                 "Print what this vhost-user program can do, as JSON");
    app.add_flag("--version", line.print_version, "Print the versions of all parts");
    app.footer(kExamples);
}

wire::Result<void> complete(Options& options, const CommandLine& line) {
    if (line.connection >= 0)
        options.connection = line.connection;
    const bool listens = !options.listen.machines.empty() || !options.listen.containers.empty();
    if (options.task == Task::kServe && listens == options.connection.has_value())
        return fail(wire::Fault::kRefused,
                    "say whom to serve: --socket-path PATH, --listen PATH, or --fd N alone");
    options.tenant.window_size = line.window.empty()
                                     ? default_window_size()
                                     : TRY(check_window_size(TRY(parse_size(line.window))));
    options.tenant.worker.log_level = options.log_level;
    if (std::getenv("VIRGL_ROUTE_VENUS_TO_APIR") != nullptr)
        options.tenant.capsets = gpu::CapsetOptions::kApirAndVenus;
    if (options.task != Task::kPrintCapabilities)
        options.tenant.worker.program = TRY(find_worker(line.worker));
    return {};
}

Task task_of(const CommandLine& line, bool list_devices) {
    if (list_devices)
        return Task::kListDevices;
    if (line.print_capabilities)
        return Task::kPrintCapabilities;
    return line.print_version ? Task::kPrintVersion : Task::kServe;
}

}  // namespace

std::variant<Options, int> parse_options(int argc, char** argv) {
    Options options;
    CommandLine line;
    CLI::App app("Lets VMs and containers compute on this machine's ggml backends.",
                 "ggml-virtgpu-host");
    add_options(app, options, line);
    CLI::App* devices = app.add_subcommand("devices", "List what this machine offers");
    add_worker_options(*devices, options.tenant.worker, line);
    CLI11_PARSE(app, argc, argv);
    options.task = task_of(line, devices->parsed());
    if (const auto completed = complete(options, line); !completed) {
        wire::print(stderr, "ggml-virtgpu-host: {}\n", completed.error().message());
        return 1;
    }
    return options;
}

}  // namespace virtgpu::host
