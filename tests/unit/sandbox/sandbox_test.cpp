#include "sandbox/sandbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
