#include "device/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace virtgpu::device {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong(10000);

TEST(ChildProcess, SaysHowItEnded) {
    auto process = ChildProcess::start({"/bin/sh", "-c", "exit 5"}, {});
    ASSERT_TRUE(process);
    const auto end = process->wait(kLong);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->exit_code, 5);
    EXPECT_EQ(end->describe(), "exited with status 5");
}

TEST(ChildProcess, IsKilledBySignal) {
    auto process = ChildProcess::start({"/bin/sleep", "100"}, {});
    ASSERT_TRUE(process);
    EXPECT_FALSE(process->wait(milliseconds(0)));
    process->send_signal(SIGTERM);
    const auto end = process->wait(kLong);
    ASSERT_TRUE(end);
    EXPECT_EQ(end->signal, SIGTERM);
}

TEST(ChildProcess, StopsAndGoesOn) {
    auto process = ChildProcess::start({"/bin/sleep", "0.1"}, {});
    ASSERT_TRUE(process);
    process->send_signal(SIGSTOP);
    EXPECT_TRUE(process->wait_until_stopped(kLong));
    EXPECT_FALSE(process->wait(milliseconds(300)));
    process->send_signal(SIGCONT);
    EXPECT_TRUE(process->wait(kLong));
}

TEST(ChildProcess, AMissingProgramIsAnEnd) {
    auto process = ChildProcess::start({"/nonexistent/program"}, {});
    ASSERT_TRUE(process);
    EXPECT_EQ(process->wait(kLong)->describe(), "could not be started");
}

TEST(ChildProcess, GetsItsDescriptorsAndNoOthers) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    const wire::FileDescriptor reader(ends[0]);
    wire::FileDescriptor writer(ends[1]);
    auto process = ChildProcess::start({"/bin/sh", "-c", "ls /proc/self/fd | wc -l >&7"},
                                       {{writer.number(), 7}});
    ASSERT_TRUE(process);
    writer.reset();
    ASSERT_TRUE(process->wait(kLong));
    std::array<char, 16> text{};
    ASSERT_GT(::read(reader.number(), text.data(), text.size() - 1), 0);
    // 0, 1, 2, 7 and ls's own; the test's runner may add some of its own without close-on-exec.
    EXPECT_LT(std::atoi(text.data()), 12);
}

TEST(ChildProcess, DoesNotOutliveItsObject) {
    pid_t pid = 0;
    {
        auto process = ChildProcess::start({"/bin/sleep", "100"}, {});
        ASSERT_TRUE(process);
        pid = process->pid();
    }
    EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace virtgpu::device
