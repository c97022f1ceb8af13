#include "doctor/child.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace virtgpu::doctor {
namespace {

TEST(Child, HasStatusOutputAndErrors) {
    const auto end = run_program({"sh", "-c", "echo out; echo err >&2; exit 3"});
    ASSERT_TRUE(end);
    EXPECT_EQ(end->status, 3);
    EXPECT_EQ(end->output, "out\n");
    EXPECT_EQ(end->errors, "err\n");
}

TEST(Child, AProgramThatIsMissingHasStatus127) {
    EXPECT_EQ(run_program({"/no/such/program"})->status, 127);
}

TEST(Child, ACrashIsASignal) {
    EXPECT_EQ(in_child([]() -> int { std::abort(); })->status, 128 + SIGABRT);
}

TEST(Child, OneThatHangsIsKilled) {
    const auto end = in_child(
        [] {
            ::pause();
            return 0;
        },
        std::chrono::seconds(1));
    ASSERT_FALSE(end);
    EXPECT_NE(end.error().message().find("no end within 1 s"), std::string::npos);
}

TEST(Child, LinesAreNotEmpty) {
    EXPECT_EQ(lines_of("a\n\nb"), (std::vector<std::string>{"a", "b"}));
    EXPECT_TRUE(lines_of("").empty());
}

}  // namespace
}  // namespace virtgpu::doctor
