// What only a backend of somebody else's can do to ggml; the rest is in
// tests/integration/test_doctor.py.
#include "doctor/guest/ggml_check.h"

#include <gtest/gtest.h>

#include "tests/unit/doctor/made_up_root.h"
#include "tests/unit/environment_variable.h"

namespace virtgpu::doctor {
namespace {

using namespace test;
using virtgpu::test::EnvironmentVariable;

constexpr const char* kGgml = "libggml.so.0";

TEST(GgmlCheck, ABackendThatHangs) {
    const EnvironmentVariable backend("GGML_BACKEND_PATH", BACKEND_THAT_HANGS);
    EXPECT_TRUE(has(GgmlCheck(kGgml, std::chrono::seconds(2)).examine(), Verdict::kProblem,
                    "libggml.so.0: no end within 2 s", "a backend hangs"));
}

TEST(GgmlCheck, ABackendThatDies) {
    const EnvironmentVariable backend("GGML_BACKEND_PATH", BACKEND_THAT_DIES);
    EXPECT_TRUE(has(GgmlCheck(kGgml).examine(), Verdict::kProblem,
                    "dies when it loads its backends (status 134)",
                    "remove the backend that kills it"));
}

TEST(GgmlCheck, ABackendOfAnotherInterface) {
    const EnvironmentVariable backend("GGML_BACKEND_PATH", BACKEND_THAT_IS_REFUSED);
    const auto findings = GgmlCheck(kGgml).examine();
    EXPECT_TRUE(
        has(findings, Verdict::kProblem, "refuses the plug-in", "the plug-in that is for it"));
    EXPECT_TRUE(has(findings, Verdict::kProblem, "9999"));
}

}  // namespace
}  // namespace virtgpu::doctor
