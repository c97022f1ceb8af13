#include "doctor/host/backends_check.h"

#include <gtest/gtest.h>

#include "doctor/host/versions_check.h"
#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

apir::WorkerOptions worker(const MadeUpRoot& root, const std::string& script) {
    apir::WorkerOptions options;
    options.program = root.script("/worker", script);
    return options;
}

TEST(BackendsCheck, EachDeviceIsALine) {
    const MadeUpRoot root;
    const auto findings =
        BackendsCheck(worker(root, "echo NAME; echo 'CUDA0 GPU'; echo 'CPU CPU'")).examine();
    EXPECT_TRUE(has(findings, Verdict::kOk, "CUDA0"));
    EXPECT_EQ(findings.size(), 2U);
}

TEST(BackendsCheck, WithoutABackendThereIsAProblem) {
    const MadeUpRoot root;
    EXPECT_TRUE(
        has(BackendsCheck(worker(root, "echo 'cannot read the folder' >&2; exit 1")).examine(),
            Verdict::kProblem, "cannot read the folder", "GGML_VIRTGPU_BACKEND_DIR"));
    EXPECT_TRUE(has(BackendsCheck(worker(root, "echo NAME")).examine(), Verdict::kProblem,
                    "no device", "libggml0"));
}

TEST(BackendsCheck, WhatIsNotMissingIsNotToBeInstalled) {
    const MadeUpRoot root;
    const auto wrong =
        BackendsCheck(worker(root, "echo \"no device is called 'CUDA9'\" >&2; exit 1")).examine();
    EXPECT_TRUE(has(wrong, Verdict::kProblem, "CUDA9", "ggml-virtgpu-host devices"));
    EXPECT_FALSE(has(wrong, Verdict::kProblem, "CUDA9", "install"));
    EXPECT_TRUE(has(BackendsCheck(worker(root, "exit 3")).examine(), Verdict::kProblem,
                    "ended with status 3", "ggml-virtgpu-host devices"));
    EXPECT_TRUE(has(BackendsCheck(worker(root, "kill -SEGV $$")).examine(), Verdict::kProblem,
                    "killed by signal 11", "leave it out"));
}

TEST(BackendsCheck, WhatTheWorkerComplainsOfIsAWarning) {
    const MadeUpRoot root;
    EXPECT_TRUE(
        has(BackendsCheck(worker(root, "echo 'no Vulkan' >&2; echo NAME; echo CPU")).examine(),
            Verdict::kWarning, "no Vulkan", "--backend"));
}

TEST(BackendsCheck, AnotherLibraryIsStarted) {
    const MadeUpRoot root;
    auto options =
        worker(root, "case \"$*\" in *--check*) echo 'it does not start' >&2; exit 1; esac");
    options.apir_library = "/some/library.so";
    EXPECT_TRUE(has(BackendsCheck(options).examine(), Verdict::kProblem, "it does not start",
                    "without --apir-library"));
    options.program = root.script("/worker1", "exit 3");
    EXPECT_TRUE(has(BackendsCheck(options).examine(), Verdict::kProblem,
                    "its start ended with status 3", "without --apir-library"));
    options.program = root.script("/worker2", "echo noise >&2");
    EXPECT_TRUE(has(BackendsCheck(options).examine(), Verdict::kOk, "/some/library.so starts"));
}

// The shell becomes the program: what is killed in the end is all there is.
constexpr const char* kHangs = "exec sleep 600";

TEST(BackendsCheck, ABackendThatHangs) {
    const MadeUpRoot root;
    EXPECT_TRUE(has(BackendsCheck(worker(root, kHangs), std::chrono::seconds(1)).examine(),
                    Verdict::kProblem, "no end within 1 s", "a backend hangs"));
}

TEST(VersionsCheck, AWorkerThatHangs) {
    const MadeUpRoot root;
    EXPECT_TRUE(has(VersionsCheck("1.0", worker(root, kHangs), std::chrono::seconds(1)).examine(),
                    Verdict::kProblem, "/worker: no end within 1 s", "install the worker anew"));
}

TEST(VersionsCheck, BothProgramsAreOfOneBuild) {
    const MadeUpRoot root;
    EXPECT_TRUE(
        has(VersionsCheck("1.0", worker(root, "echo ggml-virtgpu-worker 1.0; echo ggml 0.27"))
                .examine(),
            Verdict::kOk, "ggml 0.27"));
    EXPECT_TRUE(has(VersionsCheck("1.0", worker(root, "echo ggml-virtgpu-worker 0.9")).examine(),
                    Verdict::kProblem, "is 'ggml-virtgpu-worker 0.9'", "one version"));
}

TEST(VersionsCheck, AWorkerThatIsMissingOrDoesNotStart) {
    const MadeUpRoot root;
    apir::WorkerOptions missing;
    missing.program = "/no/such/worker";
    EXPECT_TRUE(has(VersionsCheck("1.0", missing).examine(), Verdict::kProblem,
                    "there is no program /no/such/worker", "--worker"));
    EXPECT_TRUE(has(
        VersionsCheck("1.0", worker(root, "echo libggml.so.0: missing >&2; exit 127")).examine(),
        Verdict::kProblem, "libggml.so.0: missing", "libggml0"));
}

}  // namespace
}  // namespace virtgpu::doctor
