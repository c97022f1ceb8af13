// ggml-virtgpu-worker: computes for one tenant. Started by the device process, or by people to see
// what this machine has.
#include <fcntl.h>
#include <sys/prctl.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "backend/host.h"
#include "wire/sys/program_log.h"
#include "worker/control_loop.h"
#include "worker/device_table.h"

namespace virtgpu::worker {

namespace {

enum class Task { kServe, kCheck, kListDevices };

struct Options {
    int control = -1;
    bool check = false;
    bool list_devices = false;
    std::string log_level = "info";
    std::string log_file;
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
    app.add_option("--backend", options.host.catalogue.backends,
                   "ggml backend: a name (cpu, vulkan, cuda, hip, rpc, ...) or the path of its "
                   "library; may be given several times. Without: all that are installed");
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
    app.add_option("--log-level", options.log_level, "debug, info, warning or error")
        ->check(CLI::IsMember({"debug", "info", "warning", "error"}, CLI::ignore_case));
    app.add_option("--log-file", options.log_file,
                   "Append the log to this file too, with debug messages");
    app.add_flag("--check", options.check, "Load what the options say, then end");
    app.add_flag("--list-devices", options.list_devices, "List the devices of the backends");
    app.set_version_flag("--version", version);
}

int serve(int control, backend::Host& host, wire::Log& log) {
    if (::fcntl(control, F_SETFD, FD_CLOEXEC) != 0) {
        log.error(
            "--control-fd must be an open socket; this program is started by "
            "ggml-virtgpu-host (try --list-devices)");
        return EXIT_FAILURE;
    }
    ControlSocket socket(wire::PacketSocket(wire::FileDescriptor(control)), log);
    ControlLoop loop(socket, host, log);
    // Not by returning: threads may be deep in a graph that nobody waits for any more, and the
    // device process kills a worker whose socket closes before its process has ended.
    loop.run();
    std::_Exit(EXIT_SUCCESS);
}

int run(const Options& options, wire::Log& log) {
    backend::HostOptions host_options = options.host;
    if (options.task() == Task::kListDevices)
        host_options.catalogue.offer = backend::Offer::kEverything;
    const auto host = backend::Host::create(host_options, log);
    if (!host) {
        if (options.task() == Task::kServe)
            log.error("{}", host.error().message());
        else
            wire::print(stderr, "ggml-virtgpu-worker: {}\n", host.error().message());
        return EXIT_FAILURE;
    }
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

int main(int argc, char** argv) try {
    // The device process ends us by the socket; a terminal's signals reach it too.
    for (const int number : {SIGINT, SIGTERM, SIGPIPE, SIGUSR1})
        static_cast<void>(std::signal(number, SIG_IGN));
    // On an assertion ggml starts a debugger to print a stack; a sandboxed worker should just die.
    static_cast<void>(::setenv("GGML_NO_BACKTRACE", "1", 1));
    // What is computed here comes from a guest: nothing started here may gain rights.
    static_cast<void>(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));

    virtgpu::worker::Options options;
    CLI::App app("Computes for one guest or container; started by ggml-virtgpu-host");
    virtgpu::worker::declare_options(app, options);
    CLI11_PARSE(app, argc, argv);
    // The device process reads these lines and prints them as its own.
    const auto log = virtgpu::wire::make_program_log(
        {options.log_level, "%Y-%m-%d %H:%M:%S.%e %l worker: %v", options.log_file});
    if (!log) {
        virtgpu::wire::print(stderr, "ggml-virtgpu-worker: {}\n", log.error().message());
        return EXIT_FAILURE;
    }
    return virtgpu::worker::run(options, **log);
} catch (const std::exception& error) {
    static_cast<void>(std::fprintf(stderr, "ggml-virtgpu-worker: %s\n", error.what()));
    return EXIT_FAILURE;
}
