#include "device/apir/worker_launcher.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "device/launching.h"
#include "wire/reader.h"
#include "wire/writer.h"

namespace virtgpu::apir {

using wire::Fault;
using wire::FileDescriptor;
using wire::PacketSocket;
using wire::Result;

namespace {

// Forking takes a millisecond; a machine that is out of memory takes longer.
constexpr std::chrono::milliseconds kAnswerTime(10000);
constexpr std::chrono::milliseconds kAtOnce(0);
// More than the launcher gives a process to stop.
constexpr std::chrono::milliseconds kStopTime(2000);

void become_launcher(pid_t parent) {
    // Not seen by the parent's death between fork and prctl: hence the check.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(EXIT_FAILURE);
    // Our process decides when the workers end, also when a terminal says so to all.
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGUSR1})
        sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

// Without a launcher there is no worker either.
device::ProcessEnd end_in(const Result<std::optional<wire::Packet>>& packet) {
    if (packet && *packet) {
        wire::Reader reader((*packet)->bytes);
        const auto exit_code = reader.number<int32_t>();
        const auto signal = reader.number<int32_t>();
        if (exit_code && signal)
            return {*exit_code, *signal};
    }
    return {0, SIGKILL};
}

}  // namespace

// Whoever does not take this is gone.
void WorkerProcess::order(device::ProcessOrder order) {
    const std::array bytes{static_cast<std::byte>(order)};
    static_cast<void>(handle_.send(bytes, {}, kAtOnce));
}

void WorkerProcess::kill() {
    order(device::ProcessOrder::kEnd);
}

bool WorkerProcess::stop() {
    order(device::ProcessOrder::kStop);
    const auto packet = handle_.receive(kStopTime);
    if (packet && *packet && (*packet)->bytes.size() == 1)
        return (*packet)->bytes.front() != std::byte{0};
    if (!packet || *packet)
        end_ = end_in(packet);
    return false;
}

void WorkerProcess::resume() {
    order(device::ProcessOrder::kContinue);
}

std::optional<device::ProcessEnd> WorkerProcess::wait(std::chrono::milliseconds timeout) {
    while (!end_) {
        const auto packet = handle_.receive(timeout);
        if (packet && !*packet)
            return std::nullopt;
        // An order that took longer than we waited may be answered first.
        if (!packet || (*packet)->bytes.size() != 1)
            end_ = end_in(packet);
    }
    return end_;
}

Result<std::unique_ptr<WorkerLauncher>> WorkerLauncher::start(
    const WorkerOptions& options, const std::vector<int>& not_inherited) {
    auto [ours, theirs] = TRY(PacketSocket::make_pair());
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return wire::system_failure(errno, "starting the process that starts workers");
    if (pid > 0)
        return std::unique_ptr<WorkerLauncher>(new WorkerLauncher(std::move(ours)));
    become_launcher(parent);
    ::close(ours.number());
    for (const int descriptor : not_inherited)
        ::close(descriptor);
    device::launch_on_request(worker_command(options), theirs);
    ::_exit(EXIT_SUCCESS);
}

Result<WorkerProcess> WorkerLauncher::launch(const PacketSocket& control) {
    const std::array<std::byte, 1> anything{};
    const std::array files{control.number()};
    TRY(socket_.send(anything, files, kAnswerTime));
    auto answer = TRY(socket_.receive(kAnswerTime));
    if (!answer)
        return wire::fail(Fault::kLost, "the launcher does not answer");
    wire::Reader reader(answer->bytes);
    const auto pid = TRY(reader.number<int32_t>());
    if (answer->files.size() != 1)
        return wire::system_failure(-pid, "starting a worker");
    return WorkerProcess(pid, PacketSocket(std::move(answer->files.front())));
}

}  // namespace virtgpu::apir
