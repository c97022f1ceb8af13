#include "host/options.h"

#include <gmock/gmock.h>

#include "host/size.h"
#include "tests/unit/environment_variable.h"
#include "tests/unit/host/configuration_text.h"

namespace virtgpu::host {
namespace {

using test::ConfigurationText;
using virtgpu::test::EnvironmentVariable;

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
    const auto capsets = [](const std::vector<std::string>& more) {
        std::vector<std::string> words{"--socket-path", "/a"};
        words.insert(words.end(), more.begin(), more.end());
        return parsed(words).tenant.capsets;
    };
    EXPECT_EQ(capsets({}), gpu::CapsetOptions::kApir);
    EXPECT_EQ(capsets({"--route-venus-to-apir"}), gpu::CapsetOptions::kApirAndVenus);
    const EnvironmentVariable variable("VIRGL_ROUTE_VENUS_TO_APIR", "");
    EXPECT_EQ(capsets({}), gpu::CapsetOptions::kApirAndVenus) << "its presence counts";
}

TEST(Options, TheCommandLineGoesBeforeTheEnvironmentAndThatBeforeTheFile) {
    const ConfigurationText file("[compute]\nthreads = 3\n[log]\nlevel = 'warning'\n");
    const std::vector<std::string> words{"--socket-path", "/a", "--config", file.path()};
    EXPECT_EQ(parsed(words).tenant.worker.threads, 3);
    const EnvironmentVariable variable("GGML_VIRTGPU_HOST_THREADS", "4");
    EXPECT_EQ(parsed(words).tenant.worker.threads, 4);
    auto more = words;
    more.insert(more.end(), {"--threads", "5"});
    EXPECT_EQ(parsed(more).tenant.worker.threads, 5);
    EXPECT_EQ(parsed(more).log_level, "warning");
}

TEST(Options, TheEnvironmentNamesTheFile) {
    const ConfigurationText file("listen.machines = '/vm'");
    const EnvironmentVariable variable("GGML_VIRTGPU_HOST_CONFIG", file.path());
    EXPECT_EQ(parsed({}).listen.machines, "/vm");
}

TEST(Options, AnEmptyVariableIsNone) {
    const EnvironmentVariable variable("GGML_VIRTGPU_HOST_THREADS", "");
    EXPECT_EQ(parsed({"--socket-path", "/a"}).tenant.worker.threads, std::nullopt);
}

TEST(Options, ListsComeFromAnywhere) {
    const ConfigurationText file("compute.backend = ['cpu', 'vulkan']\ncompute.repack = false");
    const EnvironmentVariable variable("GGML_VIRTGPU_HOST_DEVICE", "CPU,Vulkan0");
    const auto worker = parsed({"--listen", "/b", "--config", file.path()}).tenant.worker;
    EXPECT_EQ(worker.backends, (std::vector<std::string>{"cpu", "vulkan"}));
    EXPECT_EQ(worker.devices, (std::vector<std::string>{"CPU", "Vulkan0"}));
    EXPECT_FALSE(worker.repack);
}

TEST(Options, TheSubcommandReadsTheSameFile) {
    const ConfigurationText file("compute.backend = 'cpu'");
    EXPECT_EQ(parsed({"devices", "--config", file.path()}).tenant.worker.backends,
              std::vector<std::string>{"cpu"});
    EXPECT_EQ(
        parsed({"--config", file.path(), "devices", "--backend", "rpc"}).tenant.worker.backends,
        std::vector<std::string>{"rpc"});
}

// The variables and keys of upstream's configuration page.
TEST(Options, UpstreamsNamesOfTheGgmlLibrary) {
    const EnvironmentVariable path("APIR_LLAMA_CPP_GGML_LIBRARY_PATH", "/lib/libggml-cuda.so");
    const ConfigurationText file(
        "[ggml.library]\nreg = 'ggml_backend_cuda_reg'\ninit = 'prepare'\n");
    const auto worker = parsed({"--listen", "/b", "--config", file.path()}).tenant.worker;
    EXPECT_EQ(worker.ggml_library, "/lib/libggml-cuda.so");
    EXPECT_EQ(worker.ggml_library_reg, "ggml_backend_cuda_reg");
    EXPECT_EQ(worker.ggml_library_init, "prepare");
    EXPECT_THAT(apir::worker_command(worker), ::testing::IsSupersetOf({
                                                  "--ggml-library",
                                                  "/lib/libggml-cuda.so",
                                                  "--ggml-library-reg",
                                                  "--ggml-library-init",
                                              }));
}

TEST(Options, UpstreamsNamesOfLogFiles) {
    const EnvironmentVariable host("VIRGL_APIR_LOG_TO_FILE", "/log/apir");
    const EnvironmentVariable worker("APIR_LLAMA_CPP_LOG_TO_FILE", "/log/ggml");
    const auto options = parsed({"--listen", "/b"});
    EXPECT_EQ(options.log_file, "/log/apir");
    EXPECT_EQ(options.tenant.worker.log_file, "/log/ggml");
}

// What is printed when the options are refused.
std::string complaint(const std::vector<std::string>& words) {
    ::testing::internal::CaptureStderr();
    EXPECT_TRUE(refused(words));
    return ::testing::internal::GetCapturedStderr();
}

TEST(Options, AWrongValueIsToldWithItsPlace) {
    const ConfigurationText file("\n\ncompute.threads = 0");
    EXPECT_THAT(complaint({"--socket-path", "/a", "--config", file.path()}),
                ::testing::HasSubstr(file.path() + ":3: compute.threads: "));
    const EnvironmentVariable variable("GGML_VIRTGPU_HOST_THREADS", "many");
    EXPECT_THAT(complaint({"--socket-path", "/a"}),
                ::testing::HasSubstr("GGML_VIRTGPU_HOST_THREADS: "));
}

TEST(Options, AnUnknownKeyIsToldWithThoseThereAre) {
    const ConfigurationText file("compute.thread = 2");
    EXPECT_THAT(complaint({"--socket-path", "/a", "--config", file.path()}),
                ::testing::AllOf(::testing::HasSubstr(":1: there is no key compute.thread"),
                                 ::testing::HasSubstr("compute.threads")));
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

TEST(Options, TheSandboxIsStrictUnlessToldOtherwise) {
    EXPECT_EQ(parsed({"--listen", "/b"}).sandbox, sandbox::Mode::kStrict);
    const auto options = parsed({"--listen", "/b", "--sandbox", "no"});
    EXPECT_EQ(options.sandbox, sandbox::Mode::kNone);
    EXPECT_FALSE(options.tenant.worker.sandboxed);
    EXPECT_TRUE(refused({"--listen", "/b", "--sandbox", "perhaps"}));
}

TEST(Options, ALibraryThatComputesSpeaksLevel1AndHasAWorkerPerContext) {
    const auto options = parsed({"--listen", "/b", "--apir-library", "/lib/other.so"});
    EXPECT_EQ(apir::worker_command(options.tenant.worker),
              (std::vector<std::string>{"/worker", "--apir-library", "/lib/other.so", "--log-level",
                                        "info"}));
    EXPECT_TRUE(options.tenant.worker_per_context);
    EXPECT_FALSE(options.tenant.limits.level2);
    EXPECT_TRUE(parsed({"--listen", "/b"}).tenant.limits.level2);
}

TEST(Options, WithoutAWindowContainersShareTheUsualAmount) {
    const auto options = parsed({"--socket-path", "/a", "--listen", "/b", "--window", "0"});
    EXPECT_EQ(options.tenant.window_size, 0U);
    EXPECT_EQ(options.tenant.container_window_size, default_window_size());
    EXPECT_EQ(parsed({"--listen", "/b", "--window", "2G"}).tenant.container_window_size,
              uint64_t{2} << 30);
}

TEST(Options, LimitsReachWhoKeepsThem) {
    const auto options =
        parsed({"--listen", "/b", "--memory", "1G", "--window", "8G", "--max-contexts", "3",
                "--max-regions", "9", "--max-queue", "1M", "--max-buffers", "7",
                "--max-graph-tensors", "2048", "--graph-seconds", "5", "--worker-per-context"});
    EXPECT_EQ(options.tenant.window_size, uint64_t{1} << 30) << "shared memory is memory";
    EXPECT_EQ(options.tenant.container_window_size, uint64_t{1} << 30);
    EXPECT_EQ(options.tenant.limits.contexts, 3U);
    EXPECT_EQ(options.tenant.limits.regions, 9U);
    EXPECT_EQ(options.tenant.limits.queue_bytes, uint64_t{1} << 20);
    EXPECT_TRUE(options.tenant.worker_per_context);
    EXPECT_EQ(apir::worker_command(options.tenant.worker),
              (std::vector<std::string>{"/worker", "--memory", "1073741824", "--max-buffers", "7",
                                        "--max-graph-tensors", "2048", "--graph-seconds", "5",
                                        "--log-level", "info"}));
    EXPECT_TRUE(refused({"--listen", "/b", "--memory", "1K"}));
    EXPECT_TRUE(refused({"--listen", "/b", "--max-queue", "1K"}));
    EXPECT_TRUE(refused({"--listen", "/b", "--max-contexts", "0"}));
}

}  // namespace
}  // namespace virtgpu::host
