#include "sandbox/system_call_lists.h"

#include <array>
#include <cerrno>

namespace virtgpu::sandbox {

namespace {

// Memory, locks, time, and descriptors that are open already.
constexpr std::array<std::string_view, 50> kEveryProcess{
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "dup",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "eventfd2",
    "exit",
    "exit_group",
    "fstat",
    "futex",
    "get_robust_list",
    "getpid",
    "getppid",
    "getrandom",
    "getrusage",
    "gettid",
    "gettimeofday",
    "lseek",
    "madvise",
    "membarrier",
    "mremap",
    "munmap",
    "nanosleep",
    "pipe2",
    "poll",
    "ppoll",
    "pread64",  // regions in the guest's memory come with a list
    "read",
    "readv",
    "recvmsg",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "sendmsg",
    "set_robust_list",
    "sigaltstack",
    "sysinfo",
    "time",
    "uname",
    "write",
    "writev"};
// Where a condition on the arguments is set in system_calls.cpp.
constexpr std::array<std::string_view, 5> kEveryProcessWithConditions{"fcntl", "mmap", "mprotect",
                                                                      "newfstatat", "tgkill"};

constexpr std::array<std::string_view, 5> kDevice{"fstatfs", "signalfd4", "socketpair",
                                                  "timerfd_create", "timerfd_settime"};

// Makes memory that no limit of a process counts.
constexpr std::array<std::string_view, 3> kSharedMemory{"fallocate", "ftruncate", "memfd_create"};

constexpr std::array<std::string_view, 7> kThreads{
    "clone", "getcpu", "mlock", "munlock", "prctl", "sched_getparam", "sched_getscheduler"};

constexpr std::array<std::string_view, 3> kConnections{"recvfrom", "sendto", "shutdown"};

// Drivers: their device files, their caches, and what they ask the system.
constexpr std::array<std::string_view, 49> kDrivers{"access",
                                                    "faccessat",
                                                    "faccessat2",
                                                    "fadvise64",
                                                    "fchmod",
                                                    "fdatasync",
                                                    "flock",
                                                    "fstatfs",
                                                    "fsync",
                                                    "get_mempolicy",
                                                    "getcwd",
                                                    "getdents64",
                                                    "getegid",
                                                    "geteuid",
                                                    "getgid",
                                                    "getpgrp",
                                                    "getpriority",
                                                    "getresgid",
                                                    "getresuid",
                                                    "getrlimit",
                                                    "getuid",
                                                    "inotify_init1",
                                                    "ioctl",
                                                    "kcmp",
                                                    "link",
                                                    "mbind",
                                                    "mincore",
                                                    "mkdir",
                                                    "mkdirat",
                                                    "mlock2",
                                                    "msync",
                                                    "open",
                                                    "openat",
                                                    "prlimit64",
                                                    "pwrite64",
                                                    "readlink",
                                                    "readlinkat",
                                                    "rename",
                                                    "renameat",
                                                    "renameat2",
                                                    "sched_get_priority_max",
                                                    "sched_get_priority_min",
                                                    "stat",
                                                    "statfs",
                                                    "statx",
                                                    "timerfd_create",
                                                    "timerfd_settime",
                                                    "unlink",
                                                    "unlinkat"};

// What libraries look for in files; they have defaults.
constexpr std::array<std::string_view, 12> kFileCalls{
    "access", "faccessat", "faccessat2", "getcwd",     "lstat", "open",
    "openat", "openat2",   "readlink",   "readlinkat", "stat",  "statx"};

template <typename List>
void append(std::vector<std::string_view>& calls, const List& more) {
    calls.insert(calls.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::string_view> allowed_calls(Profile profile) {
    std::vector<std::string_view> calls(kEveryProcess.begin(), kEveryProcess.end());
    append(calls, kEveryProcessWithConditions);
    if (profile == Profile::kDevice) {
        append(calls, kDevice);
        append(calls, kSharedMemory);
        return calls;
    }
    append(calls, kThreads);
    if (profile != Profile::kProcessor)
        append(calls, kConnections);
    if (profile == Profile::kGraphics) {
        append(calls, kDrivers);
        append(calls, kSharedMemory);
    }
    return calls;
}

std::vector<RefusedCall> refused_calls(Profile profile) {
    // The C library falls back to clone(), whose flags a filter can see.
    std::vector<RefusedCall> calls{{"clone3", ENOSYS}};
    // Threads have wishes; but these calls reach all processes of the user.
    for (const std::string_view name : {"sched_setaffinity", "sched_setscheduler"})
        calls.push_back({name, EPERM});
    if (profile == Profile::kGraphics)
        return calls;
    for (const std::string_view name : kFileCalls)
        calls.push_back({name, EACCES});
    // Whether standard error is a terminal.
    calls.push_back({"ioctl", ENOTTY});
    calls.push_back({"socket", EACCES});
    calls.push_back({"connect", EACCES});
    return calls;
}

}  // namespace virtgpu::sandbox
