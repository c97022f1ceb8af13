#include "host/options.h"

#include <gtest/gtest.h>
#include <stdlib.h>

namespace virtgpu::host {
namespace {

std::variant<Options, int> parse(std::vector<std::string> words) {
    words.insert(words.begin(), "ggml-virtgpu-host");
    words.insert(words.end(), {"--worker", "/worker"});
    std::vector<char*> arguments;
    for (std::string& word : words)
        arguments.push_back(word.data());
    return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

Options parsed(const std::vector<std::string>& words) {
    auto result = parse(words);
    EXPECT_TRUE(std::holds_alternative<Options>(result));
    return std::holds_alternative<Options>(result) ? std::get<Options>(result) : Options{};
}

bool refused(const std::vector<std::string>& words) {
    const auto result = parse(words);
    return std::holds_alternative<int>(result) && std::get<int>(result) != 0;
}

TEST(Options, RpcServersAreListed) {
    EXPECT_EQ(apir::worker_command(
                  parsed({"--listen", "/b", "--rpc", "a:1,b:2", "--rpc", "c:3"}).tenant.worker),
              (std::vector<std::string>{"/worker", "--rpc", "a:1", "--rpc", "b:2", "--rpc", "c:3",
                                        "--log-level", "info"}));
}

TEST(Options, TheVenusCapsetIsOfferedOnRequest) {
    EXPECT_EQ(parsed({"--socket-path", "/a"}).tenant.capsets, gpu::CapsetOptions::kApir);
    ASSERT_EQ(::setenv("VIRGL_ROUTE_VENUS_TO_APIR", "", 1), 0);
    EXPECT_EQ(parsed({"--socket-path", "/a"}).tenant.capsets, gpu::CapsetOptions::kApirAndVenus);
    ::unsetenv("VIRGL_ROUTE_VENUS_TO_APIR");
}

TEST(Options, Serving) {
    const auto options = parsed({"--socket-path", "/a", "--listen", "/b", "--backend", "cpu",
                                 "--backend", "vulkan", "--device", "CPU", "--threads", "3",
                                 "--no-repack", "--window", "2G", "--log-level", "debug"});
    EXPECT_EQ(options.task, Task::kServe);
    EXPECT_EQ(options.listen.machines, "/a");
    EXPECT_EQ(options.listen.containers, "/b");
    EXPECT_EQ(options.tenant.window_size, uint64_t{2} << 30);
    EXPECT_EQ(
        apir::worker_command(options.tenant.worker),
        (std::vector<std::string>{"/worker", "--backend", "cpu", "--backend", "vulkan", "--device",
                                  "CPU", "--threads", "3", "--no-repack", "--log-level", "debug"}));
}

TEST(Options, Tasks) {
    EXPECT_EQ(parsed({"--version"}).task, Task::kPrintVersion);
    EXPECT_EQ(parsed({"--print-capabilities"}).task, Task::kPrintCapabilities);
    EXPECT_EQ(parsed({"--fd", "5"}).connection, 5);
    EXPECT_EQ(parsed({"devices"}).task, Task::kListDevices);
    EXPECT_EQ(parsed({"devices", "--backend", "cpu"}).tenant.worker.backends,
              std::vector<std::string>{"cpu"});
}

TEST(Options, RefusesWhatMakesNoSense) {
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused({"--fd", "5", "--socket-path", "/a"}));
    EXPECT_TRUE(refused({"--socket-path", "/a", "--window", "3G"}));
    EXPECT_TRUE(refused({"--socket-path", "/a", "--log-level", "loud"}));
    EXPECT_TRUE(refused({"--socket-path", "/a", "--threads", "0"}));
    EXPECT_FALSE(refused({"--socket-path", "/a", "--threads", "512"}));
    EXPECT_TRUE(refused({"--socket-path", "/a", "--threads", "513"}));
    EXPECT_TRUE(refused({"--socket-path"}));
}

}  // namespace
}  // namespace virtgpu::host
