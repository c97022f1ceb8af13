#include "doctor/guest/features_check.h"

#include <gtest/gtest.h>

#include "tests/unit/doctor/made_up_root.h"

namespace virtgpu::doctor {
namespace {

using namespace test;

TEST(FeaturesCheck, OurDevice) {
    const auto findings = describe_features({{"gpu", {true, true, true, true, 1U << 10}}});
    EXPECT_TRUE(has(findings, Verdict::kOk, "gpu: 10, with APIR's 10"));
    EXPECT_TRUE(has(findings, Verdict::kOk, "all that is needed"));
}

TEST(FeaturesCheck, AnOrdinaryDevice) {
    EXPECT_TRUE(has(describe_features({{"gpu", {}}}), Verdict::kProblem, "gpu: none: an ordinary",
                    "ggml-virtgpu-host doctor"));
    EXPECT_TRUE(has(describe_features({{"gpu", {true, true, true, true, 0b110}}}),
                    Verdict::kProblem, "gpu: 1, 2: an ordinary"));
}

TEST(FeaturesCheck, AnOrdinaryDeviceBesideOurs) {
    const auto findings = describe_features({{"display", {true, true, false, true, 0b110}},
                                             {"gpu", {true, true, true, true, 1U << 10}}});
    EXPECT_TRUE(has(findings, Verdict::kOk, "display: 1, 2: an ordinary virtio-gpu, not ours"));
    for (const Finding& finding : findings)
        EXPECT_EQ(finding.verdict, Verdict::kOk) << finding.text;
}

TEST(FeaturesCheck, PerhapsAVenus) {
    EXPECT_TRUE(has(describe_features({{"gpu", {true, true, true, true, 1U << 4}}}),
                    Verdict::kWarning, "behind Venus's 4"));
}

TEST(FeaturesCheck, WhatIsMissing) {
    EXPECT_TRUE(has(describe_features({{"gpu", {true, false, false, false, 1U << 10}}}),
                    Verdict::kWarning, "no blobs, host-visible memory, context types", "11.1"));
    EXPECT_TRUE(has(describe_features({{"gpu", {true, true, false, true, 1U << 10}}}),
                    Verdict::kWarning, "no host-visible memory", "--window"));
}

}  // namespace
}  // namespace virtgpu::doctor
