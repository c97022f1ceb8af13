// ggml-virtgpu-host: the host's side of ggml-virtgpu. Follows the conventions of QEMU's vhost-user
// backend programs (docs/interop/vhost-user.rst, "Backend program conventions").
#include <fcntl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "doctor/host/host_doctor.h"
#include "doctor/report.h"
#include "host/options.h"
#include "host/supervisor.h"
#include "host/worker_program.h"
#include "protocol/generated/structures.h"
#include "wire/sys/program_log.h"

namespace {

using namespace virtgpu;
using wire::Result;

// Several processes write to one stream: each line says whose it is.
constexpr const char* kLogPattern = "%Y-%m-%d %H:%M:%S.%e [%P] %l: %v";

int print_capabilities() {
    const nlohmann::json capabilities = {{"type", "gpu"}, {"features", nlohmann::json::array()}};
    wire::print(stdout, "{}\n", capabilities.dump(2));
    return EXIT_SUCCESS;
}

// Runs the worker for its answer; what was wrong has been printed when the status is not 0.
int ask_worker(const host::Options& options, const char* argument) {
    const auto status = host::run_worker(options.tenant.worker, argument);
    if (status)
        return *status;
    wire::print(stderr, "ggml-virtgpu-host: {}\n", status.error().message());
    return EXIT_FAILURE;
}

int print_version(const host::Options& options) {
    wire::print(stdout, "ggml-virtgpu-host {}\nprotocol: level 1 (APIR) 0.2, level 2 {}\n",
                VIRTGPU_VERSION, protocol::kLevel2Version);
    std::fflush(stdout);
    return ask_worker(options, "--version");
}

int examine(const host::Options& options) {
    doctor::HostDoctorOptions examined;
    examined.version = VIRTGPU_VERSION;
    examined.worker = options.tenant.worker;
    examined.qemu = options.doctor.qemu;
    examined.qemu_command = options.doctor.qemu_command;
    if (!options.listen.machines.empty())
        examined.sockets.push_back({options.listen.machines, true});
    if (!options.listen.containers.empty())
        examined.sockets.push_back({options.listen.containers, false});
    const doctor::SystemRoot root;
    const doctor::Report report(doctor::host_checks(examined, root));
    wire::print(stdout, "{}", options.doctor.json ? report.json() : report.text());
    return report.exit_status();
}

// Descriptors are what a tenant's regions and rings cost; the usual limit of 1,024 is for programs
// that use select().
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

// An inherited connection is this program's alone: a worker that had it too could speak to the VMM,
// and would keep it open after us.
bool keep_from_children(int descriptor) {
    if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0)
        return true;
    wire::print(stderr, "ggml-virtgpu-host: --fd {} is no open descriptor of this program\n",
                descriptor);
    return false;
}

Result<void> serve(const host::Options& options, wire::Log& log) {
    std::optional<host::Tenant> tenant;
    if (options.connection) {
        tenant = host::Tenant{device::TenantKind::kVirtualMachine,
                              wire::FileDescriptor(*options.connection)};
    } else {
        auto supervisor = TRY(host::Supervisor::create(options.listen, log));
        tenant = TRY(supervisor.run());
    }
    if (tenant)
        TRY(host::become_device_process(std::move(*tenant), options.tenant, options.sandbox, log));
    return {};
}

int run(const host::Options& options) {
    // First of all, because the other tasks start workers.
    if (options.connection && !keep_from_children(*options.connection))
        return EXIT_FAILURE;
    switch (options.task) {
        case host::Task::kPrintCapabilities:
            return print_capabilities();
        case host::Task::kPrintVersion:
            return print_version(options);
        case host::Task::kListDevices:
            return ask_worker(options, "--list-devices");
        case host::Task::kExamine:
            return examine(options);
        case host::Task::kServe:
            break;
    }
    // Before anybody can connect: a wrong backend is the operator's to mend, not the guest's.
    if (const int status = ask_worker(options, "--check"); status != EXIT_SUCCESS)
        return EXIT_FAILURE;
    raise_descriptor_limit();
    const auto log = wire::make_program_log({options.log_level, kLogPattern, options.log_file});
    if (!log) {
        wire::print(stderr, "ggml-virtgpu-host: {}\n", log.error().message());
        return EXIT_FAILURE;
    }
    if (const auto served = serve(options, **log); !served) {
        (*log)->error("{}", served.error().message());
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    const auto parsed = host::parse_options(argc, argv);
    if (const int* status = std::get_if<int>(&parsed))
        return *status;
    auto options = std::get<host::Options>(parsed);
    options.tenant.worker.host_version = VIRTGPU_VERSION;
    return run(options);
}
