// A program that we start, watch and end.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::device {

// How a process ended.
struct ProcessEnd {
    int exit_code = 0;  // meaningful when signal is 0
    int signal = 0;

    std::string describe() const;
};

// A descriptor of ours that the program gets under a number.
struct PassedFile {
    int ours = -1;
    int theirs = -1;
};

// Ends with us: the kernel kills it when our process dies, the destructor when we give it up.
class ChildProcess {
 public:
    // `command` is the program's path and its arguments. A program that cannot be executed is a
    // child that exits with kNotStarted.
    static constexpr int kNotStarted = 127;
    static wire::Result<ChildProcess> start(const std::vector<std::string>& command,
                                            const std::vector<PassedFile>& files);
    ~ChildProcess();
    ChildProcess(ChildProcess&& other) noexcept;
    ChildProcess& operator=(ChildProcess&&) = delete;
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    pid_t pid() const { return pid_; }
    // Readable once the process has ended.
    int end_descriptor() const { return handle_.number(); }
    void send_signal(int signal) const;
    // After SIGSTOP: whether all its threads have stopped within `timeout`.
    bool wait_until_stopped(std::chrono::milliseconds timeout) const;
    // How it ended, or nothing when it still runs after `timeout` (negative: no limit).
    std::optional<ProcessEnd> wait(std::chrono::milliseconds timeout);

 private:
    ChildProcess(pid_t pid, wire::FileDescriptor handle) : pid_(pid), handle_(std::move(handle)) {}

    pid_t pid_;
    wire::FileDescriptor handle_;
    std::optional<ProcessEnd> end_;
};

}  // namespace virtgpu::device
