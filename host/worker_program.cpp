#include "host/worker_program.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>

#include "device/child_process.h"

namespace virtgpu::host {

using wire::Fault;
using wire::Result;

namespace {

bool is_program(const std::filesystem::path& path) {
    return ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Result<std::string> find_worker(const std::string& named) {
    if (!named.empty())
        return named;
    std::error_code error;
    const auto folder = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
    for (const std::filesystem::path& candidate :
         {folder / kWorkerName, folder / "../worker" / kWorkerName,
          folder / ".." / VIRTGPU_LIBEXEC / kWorkerName})
        if (is_program(candidate))
            return std::filesystem::weakly_canonical(candidate, error).string();
    return fail(
        Fault::kRefused,
        "{} is not installed next to this program; install it, or say with --worker PATH or "
        "GGML_VIRTGPU_WORKER where it is",
        kWorkerName);
}

Result<int> run_worker(const apir::WorkerOptions& options, const std::string& argument) {
    auto command = apir::worker_command(options);
    command.push_back(argument);
    auto process = TRY(device::ChildProcess::start(command, {}));
    const auto end = process.wait(std::chrono::milliseconds(-1));
    if (!end || end->signal != 0 || end->exit_code == device::ChildProcess::kNotStarted)
        return fail(Fault::kRefused, "{} {}", options.program,
                    end ? end->describe() : "cannot be watched");
    return end->exit_code;
}

}  // namespace virtgpu::host
