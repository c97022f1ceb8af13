#include "device/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>
#include <utility>

namespace virtgpu::device {

using wire::FileDescriptor;
using wire::Result;

namespace {

// Between fork and exec: system calls only.
[[noreturn]] void become(char* const* arguments, const std::vector<PassedFile>& files,
                         pid_t parent) {
    // Not seen by the parent's death between fork and prctl: hence the check.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(ChildProcess::kNotStarted);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const PassedFile& file : files) {
        if (file.ours == file.theirs)
            ::fcntl(file.ours, F_SETFD, 0);
        else if (::dup2(file.ours, file.theirs) < 0)
            ::_exit(ChildProcess::kNotStarted);
    }
    ::execv(arguments[0], arguments);
    ::_exit(ChildProcess::kNotStarted);
}

}  // namespace

std::string ProcessEnd::describe() const {
    if (signal == SIGSYS)
        return "was ended by its sandbox: it made a system call that is not listed";
    if (signal != 0)
        return wire::format("was killed by signal {} ({})", signal, ::strsignal(signal));
    if (exit_code == ChildProcess::kNotStarted)
        return "could not be started";
    return wire::format("exited with status {}", exit_code);
}

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& command,
                                         const std::vector<PassedFile>& files) {
    std::vector<char*> arguments;
    for (const std::string& word : command)
        arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0)
        return wire::system_failure(errno, "starting a process");
    if (pid == 0)
        become(arguments.data(), files, parent);
    FileDescriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!handle) {
        const int reason = errno;
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return wire::system_failure(reason, "watching a process");
    }
    ::fcntl(handle.number(), F_SETFD, FD_CLOEXEC);
    return ChildProcess(pid, std::move(handle));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), handle_(std::move(other.handle_)), end_(other.end_) {}

ChildProcess::~ChildProcess() {
    if (pid_ < 0 || end_)
        return;
    send_signal(SIGKILL);
    wait(std::chrono::milliseconds(-1));
}

void ChildProcess::send_signal(int signal) const {
    if (!end_)  // after that, the number may belong to somebody else
        ::kill(pid_, signal);
}

bool ChildProcess::wait_until_stopped(std::chrono::milliseconds timeout) const {
    constexpr std::chrono::milliseconds kStep(1);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    do {
        siginfo_t state{};
        if (::waitid(P_PID, static_cast<id_t>(pid_), &state, WSTOPPED | WNOHANG) != 0)
            return false;
        if (state.si_pid == pid_)
            return true;
        std::this_thread::sleep_for(kStep);
    } while (std::chrono::steady_clock::now() < deadline);
    return false;
}

std::optional<ProcessEnd> ChildProcess::wait(std::chrono::milliseconds timeout) {
    if (end_)
        return end_;
    pollfd entry{handle_.number(), POLLIN, 0};
    if (::poll(&entry, 1, static_cast<int>(timeout.count())) <= 0)
        return std::nullopt;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_)
        return std::nullopt;
    end_ =
        WIFSIGNALED(status) ? ProcessEnd{0, WTERMSIG(status)} : ProcessEnd{WEXITSTATUS(status), 0};
    return end_;
}

}  // namespace virtgpu::device
