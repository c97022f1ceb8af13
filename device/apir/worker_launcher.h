// Starts workers for a device process, which may not: it has given up files, processes and rights.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>

#include "device/apir/worker_options.h"
#include "device/child_process.h"
#include "device/launching.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::apir {

// A worker's process. Its end kills it; so does ours.
class WorkerProcess {
 public:
    WorkerProcess(pid_t pid, wire::PacketSocket handle) : pid_(pid), handle_(std::move(handle)) {}

    pid_t pid() const { return pid_; }
    // Readable once the process has ended.
    int end_descriptor() const { return handle_.number(); }
    void kill();
    // Whether all its threads have stopped. Takes a second at most.
    bool stop();
    void resume();
    // How it ended, or nothing when it still runs after `timeout`.
    std::optional<device::ProcessEnd> wait(std::chrono::milliseconds timeout);

 private:
    void order(device::ProcessOrder order);

    pid_t pid_;
    wire::PacketSocket handle_;
    std::optional<device::ProcessEnd> end_;
};

// A process that was forked before the rights were given up. It takes nothing but the request to
// start one more worker, always by the same command, and to kill it; it ends with us.
class WorkerLauncher {
 public:
    // For a process with one thread. `not_inherited` are descriptors that no worker must hold open.
    static wire::Result<std::unique_ptr<WorkerLauncher>> start(
        const WorkerOptions& options, const std::vector<int>& not_inherited);
    WorkerLauncher(const WorkerLauncher&) = delete;
    WorkerLauncher& operator=(const WorkerLauncher&) = delete;

    // `control` becomes the worker's socket to us. Waits for the launcher, not for the worker.
    wire::Result<WorkerProcess> launch(const wire::PacketSocket& control);

 private:
    explicit WorkerLauncher(wire::PacketSocket socket) : socket_(std::move(socket)) {}

    wire::PacketSocket socket_;
};

}  // namespace virtgpu::apir
