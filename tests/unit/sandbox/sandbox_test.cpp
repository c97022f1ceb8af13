#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "sandbox/privileges.h"
#include "sandbox/system_calls.h"

namespace virtgpu::sandbox {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kKills = false;
#else
constexpr bool kKills = true;
#endif

// What `action` returns in a process of its own, or minus the signal that ended it.
int in_a_process(const std::function<int()>& action) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(action());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

constexpr int kNotConfined = 99;

int in_a_device_process(const std::function<int()>& action) {
    return in_a_process([&] { return confine_device() ? action() : kNotConfined; });
}

int in_a_worker(Profile profile, const LoadingRules& rules, const std::function<int()>& action) {
    return in_a_process([&] {
        auto state = confine_loading(rules);
        return state && confine_computing(profile, 0, *state) ? action() : kNotConfined;
    });
}

int error_of(int result) {
    return result < 0 ? errno : 0;
}

int open_a_file() {
    return error_of(::open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

int make_a_socket() {
    return error_of(::socket(AF_INET, SOCK_STREAM, 0));
}

int connect_a_descriptor() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    return error_of(::connect(0, reinterpret_cast<sockaddr*>(&address), sizeof address));
}

int start_a_process() {
    return error_of(::fork());
}

int run_a_program() {
    ::execl("/bin/true", "true", nullptr);
    return errno;
}

int make_code() {
    void* const code = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return code == MAP_FAILED ? errno : 0;
}

int use_threads_and_memory() {
    int touched = 0;
    std::thread([&touched] {
        touched = static_cast<int>(std::string(1 << 22, 'x').size());
    }).join();
    return touched == 1 << 22 ? 0 : 1;
}

bool ended_or_refused(int outcome) {
    return outcome == -SIGSYS || (!kKills && outcome == EPERM);
}

TEST(DeviceSandbox, OpensNoFileAndNoConnection) {
    EXPECT_EQ(in_a_device_process(open_a_file), EACCES);
    EXPECT_EQ(in_a_device_process(make_a_socket), EACCES);
    EXPECT_EQ(in_a_device_process(connect_a_descriptor), EACCES);
}

TEST(DeviceSandbox, WhatIsNotListedEndsTheProcess) {
    EXPECT_TRUE(ended_or_refused(in_a_device_process(start_a_process)));
    EXPECT_TRUE(ended_or_refused(in_a_device_process(run_a_program)));
    EXPECT_TRUE(ended_or_refused(in_a_device_process(make_code)));
    EXPECT_TRUE(ended_or_refused(in_a_device_process([] { return ::kill(::getppid(), 0); })));
}

TEST(DeviceSandbox, SealedMemoryCanBeMade) {
    EXPECT_EQ(in_a_device_process([] {
                  const int file = ::memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                  return ::ftruncate(file, 4096) == 0 &&
                                 ::fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK) == 0
                             ? 0
                             : 1;
              }),
              0);
}

TEST(Privileges, AreGoneForGood) {
    EXPECT_EQ(in_a_process([] {
                  if (!forbid_new_privileges() || !drop_capabilities())
                      return kNotConfined;
                  return ::prctl(PR_CAPBSET_READ, 0, 0, 0, 0) == 0 &&
                                 ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
                             ? 0
                             : 1;
              }),
              0);
}

TEST(WorkerSandbox, ComputesButOpensNothing) {
    for (const Profile profile : {Profile::kProcessor, Profile::kRemote}) {
        EXPECT_EQ(in_a_worker(profile, {}, use_threads_and_memory), 0);
        EXPECT_EQ(in_a_worker(profile, {}, open_a_file), EACCES);
        EXPECT_EQ(in_a_worker(profile, {}, make_a_socket), EACCES);
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, start_a_process)));
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, make_code)));
    }
}

TEST(WorkerSandbox, TheFilterHoldsForThreadsThatWereThereBefore) {
    EXPECT_EQ(in_a_process([] {
                  int outcome = 0;
                  std::atomic<bool> confined{false};
                  if (!forbid_new_privileges())
                      return kNotConfined;
                  std::thread earlier([&] {
                      while (!confined)
                          std::this_thread::yield();
                      outcome = open_a_file();
                  });
                  const bool filtered = restrict_system_calls(Profile::kProcessor).has_value();
                  confined = true;
                  earlier.join();
                  return filtered ? outcome : kNotConfined;
              }),
              EACCES);
}

TEST(WorkerSandbox, ADriverReachesItsFilesAndNoOthers) {
    const auto folder = std::filesystem::path(::testing::TempDir()) / "virtgpu-sandbox-cache";
    std::filesystem::create_directories(folder);
    const LoadingRules rules{
        .files = {.readable = {"/usr"}, .writable = {folder.string()}, .ports = {}},
        .network = false};
    const auto create = [](const std::filesystem::path& path) {
        return error_of(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    };
    EXPECT_EQ(in_a_worker(Profile::kGraphics, rules, [&] { return create(folder / "code"); }), 0);
    EXPECT_EQ(in_a_worker(Profile::kGraphics, rules, [&] { return create("/usr/code"); }), EACCES);
    EXPECT_EQ(in_a_worker(Profile::kGraphics, rules, open_a_file), EACCES);
    EXPECT_EQ(in_a_worker(Profile::kGraphics, rules, make_code), 0);
    EXPECT_EQ(in_a_worker(Profile::kGraphics, rules, run_a_program), EPERM);
    EXPECT_EQ(in_a_worker(Profile::kGraphics, rules, make_a_socket), EPERM);
    std::filesystem::remove_all(folder);
}

// A socket can send signals to its owner.
class SignalsTest : public testing::Test {
 protected:
    SignalsTest() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_), 0); }
    ~SignalsTest() override {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }

    int control_files(Profile profile, unsigned long command, unsigned long value) const {
        return in_a_worker(profile, {}, [&] {
            return error_of(static_cast<int>(::syscall(SYS_fcntl, ends_[0], command, value)));
        });
    }
    int control_device(unsigned long request) const {
        return in_a_worker(Profile::kGraphics, {}, [&] {
            int value = ::getppid();
            return error_of(static_cast<int>(::syscall(SYS_ioctl, ends_[0], request, &value)));
        });
    }

    int ends_[2] = {-1, -1};
};

constexpr unsigned long kHighBits = 0x7'0000'0000;  // that the kernel does not look at

TEST_F(SignalsTest, NoFileIsMadeToSendThem) {
    const auto victim = static_cast<unsigned long>(::getpid());
    f_owner_ex owner{F_OWNER_PID, ::getpid()};
    const auto owner_address = reinterpret_cast<unsigned long>(&owner);
    const std::pair<unsigned long, unsigned long> forbidden[] = {
        {F_SETOWN, victim},           {F_SETOWN | kHighBits, victim},
        {F_SETOWN_EX, owner_address}, {F_SETSIG, SIGKILL},
        {F_SETFL, O_ASYNC},
    };
    for (const auto& [command, value] : forbidden) {
        EXPECT_EQ(control_files(Profile::kGraphics, command, value), EPERM) << command;
        for (const Profile profile : {Profile::kProcessor, Profile::kRemote})
            EXPECT_TRUE(ended_or_refused(control_files(profile, command, value))) << command;
    }
}

TEST_F(SignalsTest, NoSocketOrTerminalIsMadeToSendThem) {
    constexpr unsigned long kSetOwner = 0x8901;  // FIOSETOWN
    constexpr unsigned long kSetGroup = 0x8902;  // SIOCSPGRP
    for (const unsigned long request :
         {kSetOwner, kSetOwner | kHighBits, kSetGroup, 0UL + FIOASYNC, 0UL + TIOCSTI})
        EXPECT_EQ(control_device(request), EPERM) << request;
}

TEST_F(SignalsTest, WhatDriversAskOfFilesIsLeftToThem) {
    EXPECT_EQ(control_files(Profile::kGraphics, F_SETFL, O_NONBLOCK), 0);
    EXPECT_EQ(control_files(Profile::kGraphics, F_DUPFD, 0), 0);
    EXPECT_EQ(control_files(Profile::kGraphics, F_SETFD, FD_CLOEXEC), 0);
    constexpr unsigned long kRequests[] = {
        0xc0406400,  // DRM_IOCTL_VERSION
        0xc00846d6,  // NVIDIA's, of type 'F'
        0x30000001,  // UVM_INITIALIZE
        0x4b01,      // of AMD's type 'K'
    };
    // The socket itself does not know them.
    for (const unsigned long request : kRequests)
        EXPECT_EQ(control_device(request), ENOTTY) << request;
}

TEST(WorkerSandbox, ADriverLocksItsFiles) {
    const auto lock = [](int command) {
        const int file = ::memfd_create("lock", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        struct flock whole {};
        whole.l_type = F_WRLCK;
        return error_of(::fcntl(file, command, &whole));
    };
    for (const int command : {F_SETLK, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW})
        EXPECT_EQ(in_a_worker(Profile::kGraphics, {}, [&] { return lock(command); }), 0);
}

TEST(WorkerSandbox, ChangesNoOtherProcess) {
    const auto limit_of = [](pid_t process) {
        rlimit limit{};
        return error_of(::prlimit(process, RLIMIT_NOFILE, nullptr, &limit));
    };
    EXPECT_EQ(in_a_worker(Profile::kGraphics, {}, [&] { return limit_of(0); }), 0);
    EXPECT_EQ(in_a_worker(Profile::kGraphics, {}, [&] { return limit_of(::getppid()); }), EPERM);
    const auto bind_parent = [] {
        cpu_set_t processors;
        if (::sched_getaffinity(0, sizeof processors, &processors) != 0)
            return kNotConfined;
        return error_of(::sched_setaffinity(::getppid(), sizeof processors, &processors));
    };
    const auto schedule_parent = [] {
        const sched_param none{};
        return error_of(::sched_setscheduler(::getppid(), SCHED_OTHER, &none));
    };
    for (const Profile profile : {Profile::kProcessor, Profile::kRemote, Profile::kGraphics}) {
        EXPECT_EQ(in_a_worker(profile, {}, bind_parent), EPERM);
        EXPECT_EQ(in_a_worker(profile, {}, schedule_parent), EPERM);
    }
}

// Which RLIMIT_DATA does not count.
TEST(WorkerSandbox, MakesNoSharedMemory) {
    const int file = ::memfd_create("region", MFD_CLOEXEC);
    const auto make = [] { return error_of(::memfd_create("more", MFD_CLOEXEC)); };
    const auto lengthen = [&] { return error_of(::ftruncate(file, 4096)); };
    const auto fill = [&] { return error_of(::fallocate(file, 0, 0, 4096)); };
    const auto map = [](int flags, int of) {
        return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, flags, of, 0) == MAP_FAILED ? errno
                                                                                         : 0;
    };
    const auto map_new = [&] { return map(MAP_SHARED | MAP_ANONYMOUS, -1); };
    const auto map_validated = [&] { return map(MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1); };
    for (const Profile profile : {Profile::kProcessor, Profile::kRemote}) {
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, make)));
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, lengthen)));
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, fill)));
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, map_new)));
        EXPECT_TRUE(ended_or_refused(in_a_worker(profile, {}, map_validated)));
        EXPECT_EQ(in_a_worker(profile, {}, [&] { return map(MAP_SHARED, file); }), 0);
        EXPECT_EQ(in_a_worker(profile, {}, [&] { return map(MAP_PRIVATE | MAP_ANONYMOUS, -1); }),
                  0);
    }
    EXPECT_EQ(in_a_worker(Profile::kGraphics, {}, make), 0);
    ::close(file);
}

TEST(WorkerSandbox, MemoryIsLimited) {
    EXPECT_EQ(
        in_a_process([] {
            auto state = confine_loading({});
            if (!state || !confine_computing(Profile::kProcessor, uint64_t{256} << 20, *state))
                return kNotConfined;
            return ::mmap(nullptr, size_t{512} << 20, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
                       ? errno
                       : 0;
        }),
        ENOMEM);
}

TEST(WorkerSandbox, AbortEndsTheProcessAsUsual) {
    EXPECT_EQ(in_a_worker(Profile::kProcessor, {},
                          []() -> int {
                              std::signal(SIGABRT, SIG_DFL);
                              std::abort();
                          }),
              -SIGABRT);
}

TEST(State, SaysWhatIsLeftOut) {
    State state;
    state.add("a lock");
    state.leave_out("a bolt: the door has none");
    EXPECT_EQ(state.describe(), "a lock; left out: a bolt: the door has none");
}

}  // namespace
}  // namespace virtgpu::sandbox
