// ggml-virtgpu-worker: computes for one tenant. Started by the device process, or by people to see
// what this machine has.
#include <fcntl.h>
#include <malloc.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "backend/host.h"
#include "wire/limited_log.h"
#include "wire/sys/program_log.h"
#include "worker/control_loop.h"
#include "worker/device_table.h"
#include "worker/library/library_contexts.h"
#include "worker/reachable_files.h"

namespace virtgpu::worker {

namespace {

enum class Task { kServe, kCheck, kListDevices };

struct Options {
    int control = -1;
    std::string host_version;
    bool check = false;
    bool list_devices = false;
    std::string sandbox = "strict";
    uint32_t graph_seconds = 600;
    std::string log_level = "info";
    std::string log_file;
    std::string apir_library;
    backend::HostOptions host;

    Task task() const {
        if (list_devices)
            return Task::kListDevices;
        return check ? Task::kCheck : Task::kServe;
    }
};

std::string version() {
    return wire::format("ggml-virtgpu-worker {}\nprotocol {}\nggml {}\nggml plug-in interface {}",
                        VIRTGPU_VERSION, protocol::kLevel2Version, backend::Host::ggml_version(),
                        backend::Host::plugin_abi_version());
}

void declare_options(CLI::App& app, Options& options) {
    app.add_option("--control-fd", options.control, "Socket to the device process");
    app.add_option("--host-version", options.host_version,
                   "Version of the ggml-virtgpu-host that starts it; another one's is refused");
    app.add_option("--backend", options.host.catalogue.backends,
                   "ggml backend: a name (cpu, vulkan, cuda, hip, rpc, ...) or the path of its "
                   "library; may be given several times. Without: all that are installed");
    app.add_option("--apir-library", options.apir_library,
                   "Library that computes instead, by the C interface of virglrenderer's APIR; "
                   "it asks for the next three");
    app.add_option("--ggml-library", options.host.catalogue.library.path,
                   "Path of one more backend's library, registered by the function of the next "
                   "option");
    app.add_option("--ggml-library-reg", options.host.catalogue.library.reg,
                   "Its registration function. Without: ggml_backend_init");
    app.add_option("--ggml-library-init", options.host.catalogue.library.init,
                   "A function of it that is called before");
    app.add_option(
        "--rpc", options.host.catalogue.rpc_servers,
        "HOST:PORT of a ggml-rpc-server, for the backend rpc; may be given several times");
    app.add_option("--device", options.host.catalogue.devices,
                   "Device to offer, by ggml's name; may be given several times. Without: those of "
                   "--backend, or the GPUs, or the CPU");
    app.add_option("--threads", options.host.threads,
                   "Threads per stream of a CPU backend; 0: one per processor")
        ->check(CLI::Range(0, 512));
    app.add_option("--trace", options.host.trace_folder,
                   "Write when each request was carried out into this folder");
    app.add_flag("--no-repack{false}", options.host.catalogue.repack,
                 "Keep no copies of weights in the layout that a CPU computes fastest with");
    app.add_option("--memory", options.host.limits.memory_bytes,
                   "Bytes that all contexts together can hold; 0: what the devices have");
    app.add_option("--max-buffers", options.host.limits.buffers, "Buffers of one context");
    app.add_option("--max-graph-tensors", options.host.limits.graph_tensors,
                   "Tensors in all graphs of one stream");
    app.add_option("--graph-seconds", options.graph_seconds,
                   "Seconds that one graph, or one call of --apir-library, may take; 0: no limit");
    app.add_option("--sandbox", options.sandbox, "strict, or no")
        ->check(CLI::IsMember({"strict", "no"}));
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}, CLI::ignore_case));
    app.add_option("--log-file", options.log_file,
                   "Append the log to this file too, with debug messages");
    app.add_flag("--check", options.check, "Load what the options say, then end");
    app.add_flag("--list-devices", options.list_devices, "List the devices of the backends");
    app.set_version_flag("--version", version);
}

int serve(int control, backend::ContextSource& source, wire::Log& log) {
    if (::fcntl(control, F_SETFD, FD_CLOEXEC) != 0) {
        log.error(
            "--control-fd must be an open socket; this program is started by "
            "ggml-virtgpu-host (try --list-devices)");
        return EXIT_FAILURE;
    }
    ControlSocket socket(wire::PacketSocket(wire::FileDescriptor(control)), log);
    ControlLoop loop(socket, source, log);
    // Not by returning: threads may be deep in a graph that nobody waits for any more, and the
    // device process kills a worker whose socket closes before its process has ended.
    loop.run();
    std::_Exit(EXIT_SUCCESS);
}

// Threads' stacks, of which little is ever touched, what graphs compute with, and what we need
// ourselves.
constexpr uint64_t kMemoryBesideBuffers = uint64_t{8} << 30;
constexpr int kHung = 3;
// Upstream's frontend waits so long for its host to load a library.
constexpr std::chrono::milliseconds kShortestStartTime(60000);
constexpr std::chrono::milliseconds kStartTimeWithoutLimit(600000);

// What was loaded decides what it may do; what is not known is a GPU's.
sandbox::Profile profile_of(const std::vector<std::string>& backends) {
    const auto among = [&backends](std::initializer_list<std::string_view> names) {
        return std::all_of(backends.begin(), backends.end(), [names](const std::string& backend) {
            return std::find(names.begin(), names.end(), backend) != names.end();
        });
    };
    if (among({"CPU", "BLAS"}))
        return sandbox::Profile::kProcessor;
    // A server is a backend of its own, by its address.
    const bool remote = std::all_of(backends.begin(), backends.end(), [](const auto& backend) {
        return backend == "CPU" || backend == "BLAS" || backend.starts_with("RPC");
    });
    return remote ? sandbox::Profile::kRemote : sandbox::Profile::kGraphics;
}

wire::Result<std::unique_ptr<backend::Host>> load(const Options& options,
                                                  const backend::HostOptions& host_options,
                                                  wire::Log& log) {
    if (options.sandbox == "no")
        return backend::Host::create(host_options, log);
    auto state = TRY(
        sandbox::confine_loading(loading_rules(host_options.catalogue, host_options.trace_folder)));
    auto host = TRY(backend::Host::create(host_options, log));
    const uint64_t memory = host_options.limits.memory_bytes;
    TRY(sandbox::confine_computing(profile_of(host->loaded_backends()),
                                   memory == 0 ? 0 : memory + kMemoryBesideBuffers, state));
    log.info("sandbox: {}", state.describe());
    return host;
}

LibraryOptions library_options(const Options& options, wire::Log& log) {
    LibraryOptions library;
    library.path = options.apir_library;
    library.ggml = options.host.catalogue.library;
    library.call_time = std::chrono::seconds(options.graph_seconds);
    // Always: nobody ends a start when its guest has gone.
    library.start_time = options.graph_seconds == 0
                             ? kStartTimeWithoutLimit
                             : std::max(library.call_time, kShortestStartTime);
    library.hung = [&log](const std::string& why) {
        log.error("{}", why);
        std::_Exit(kHung);
    };
    return library;
}

// The library loads its backend when its context opens, and is confined for good after that.
wire::Result<std::unique_ptr<LibraryContexts>> load_library(const Options& options,
                                                            wire::Log& log) {
    LibraryOptions library = library_options(options, log);
    if (options.sandbox == "no")
        return LibraryContexts::open(std::move(library), log);
    // What --backend and --rpc say is about our own backends: this may be any GPU's.
    backend::CatalogueOptions of_library;
    of_library.library = library.ggml;
    sandbox::LoadingRules rules = loading_rules(of_library, {});
    add_library_folder(options.apir_library, rules);
    auto loading = TRY(sandbox::confine_loading(rules));
    const auto state = std::make_shared<sandbox::State>(std::move(loading));
    const uint64_t memory = options.host.limits.memory_bytes;
    library.started = [state, memory, &log]() -> wire::Result<void> {
        TRY(sandbox::confine_computing(sandbox::Profile::kGraphics,
                                       memory == 0 ? 0 : memory + kMemoryBesideBuffers, *state));
        log.info("sandbox: {}", state->describe());
        return {};
    };
    return LibraryContexts::open(std::move(library), log);
}

int refuse(const Options& options, const std::string& reason, wire::Log& log) {
    if (options.task() == Task::kServe)
        log.error("{}", reason);
    else
        wire::print(stderr, "ggml-virtgpu-worker: {}\n", reason);
    return EXIT_FAILURE;
}

int run_library(const Options& options, wire::Log& log) {
    if (options.task() == Task::kListDevices)
        return refuse(
            options,
            "an APIR backend library tells its devices to guests alone: " + options.apir_library +
                "; without --apir-library and its variables this host's own are listed",
            log);
    const auto contexts = load_library(options, log);
    if (!contexts)
        return refuse(options, contexts.error().message(), log);
    if (options.task() == Task::kServe)
        return serve(options.control, **contexts, log);
    const auto tried = (*contexts)->try_out();
    if (!tried)
        return refuse(options, tried.error().message(), log);
    // Not by returning: nothing limits how long exit handlers of the library's take, and it has
    // ended in order.
    static_cast<void>(std::fflush(nullptr));
    std::_Exit(EXIT_SUCCESS);
}

int run(const Options& options, wire::Log& log) {
    // An upgrade replaces this program below a host program that goes on running.
    if (!options.host_version.empty() && options.host_version != VIRTGPU_VERSION)
        return refuse(options,
                      wire::format("this worker is of version {} and the ggml-virtgpu-host that "
                                   "starts it of {}: restart ggml-virtgpu-host after an upgrade",
                                   VIRTGPU_VERSION, options.host_version),
                      log);
    if (!options.apir_library.empty())
        return run_library(options, log);
    backend::HostOptions host_options = options.host;
    host_options.limits.graph_time = std::chrono::seconds(options.graph_seconds);
    host_options.hung = [&log, seconds = options.graph_seconds](uint32_t context) {
        log.error("a graph of context {} takes longer than {} s and does not stop", context,
                  seconds);
        std::_Exit(kHung);
    };
    if (options.task() == Task::kListDevices)
        host_options.catalogue.offer = backend::Offer::kEverything;
    const auto host = load(options, host_options, log);
    if (!host)
        return refuse(options, host.error().message(), log);
    switch (options.task()) {
        case Task::kCheck:
            return EXIT_SUCCESS;
        case Task::kListDevices:
            wire::print(stdout, "{}", device_table((*host)->devices()));
            return EXIT_SUCCESS;
        case Task::kServe:
            break;
    }
    return serve(options.control, **host, log);
}

}  // namespace

}  // namespace virtgpu::worker

namespace {

// Guests make us write lines, so there is an end to them.
constexpr unsigned kLogLines = 200;
constexpr std::chrono::seconds kLogPeriod(10);

// What is at least as large goes back to the system when it is freed. glibc moves the limit up to
// 32 MiB by itself, after which each of its arenas, of which there are eight for each processor,
// keeps what guests' buffers had: more than a tenant's limit knows of.
void return_freed_memory() {
    constexpr int kLarge = 1 << 20;
    static_cast<void>(::mallopt(M_MMAP_THRESHOLD, kLarge));
}

}  // namespace

int main(int argc, char** argv) try {
    return_freed_memory();
    // The device process ends us by the socket; a terminal's signals reach it too.
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGUSR1})
        static_cast<void>(std::signal(number, SIG_IGN));
    // Upstream's variable for the log, which is ours to write by --log-file: a library that
    // computes here would empty that file when it starts.
    static_cast<void>(::unsetenv("APIR_LLAMA_CPP_LOG_TO_FILE"));
    // On an assertion ggml starts a debugger to print a stack; a sandboxed worker should just die.
    static_cast<void>(::setenv("GGML_NO_BACKTRACE", "1", 1));

    virtgpu::worker::Options options;
    CLI::App app("Computes for one guest or container; started by ggml-virtgpu-host");
    virtgpu::worker::declare_options(app, options);
    CLI11_PARSE(app, argc, argv);
    // The device process reads these lines and prints them as its own.
    const auto unlimited = virtgpu::wire::make_program_log(
        {options.log_level, "%Y-%m-%d %H:%M:%S.%e %l worker: %v", options.log_file});
    if (!unlimited) {
        virtgpu::wire::print(stderr, "ggml-virtgpu-worker: {}\n", unlimited.error().message());
        return EXIT_FAILURE;
    }
    virtgpu::wire::LimitedLog log(**unlimited, kLogLines, kLogPeriod);
    return virtgpu::worker::run(options, log);
} catch (const std::exception& error) {
    static_cast<void>(std::fprintf(stderr, "ggml-virtgpu-worker: %s\n", error.what()));
    return EXIT_FAILURE;
}
