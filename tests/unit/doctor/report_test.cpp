#include "doctor/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace virtgpu::doctor {
namespace {

class Fixed : public Check {
 public:
    explicit Fixed(Findings findings) : findings_(std::move(findings)) {}
    Findings examine() override { return findings_; }

 private:
    Findings findings_;
};

Report report_of(Findings findings) {
    Checks checks;
    checks.push_back(std::make_unique<Fixed>(std::move(findings)));
    return Report(checks);
}

TEST(Report, IsAlignedAndCounted) {
    EXPECT_EQ(report_of({ok("KVM", "fine"), warning("ggml", "slow", "hurry"),
                         problem("QEMU", "none\nat all", "get one")})
                  .text(),
              "ok       KVM   fine\n"
              "warning  ggml  slow\n"
              "               → hurry\n"
              "problem  QEMU  none\n"
              "               at all\n"
              "               → get one\n"
              "\n"
              "1 problem, 1 warning\n");
}

TEST(Report, OnlyAProblemFails) {
    EXPECT_EQ(report_of({}).exit_status(), 0);
    EXPECT_EQ(report_of({ok("a", "b"), warning("a", "b", "c")}).exit_status(), 0);
    EXPECT_EQ(report_of({problem("a", "b", "c"), ok("a", "b")}).exit_status(), 1);
}

class Broken : public Check {
 public:
    Findings examine() override { throw std::runtime_error("no such luck"); }
};

TEST(Report, ACheckThatThrowsIsALineAmongTheOthers) {
    Checks checks;
    checks.push_back(std::make_unique<Broken>());
    checks.push_back(std::make_unique<Fixed>(Findings{ok("KVM", "fine")}));
    const Report report(checks);
    ASSERT_EQ(report.findings().size(), 2U);
    EXPECT_NE(report.findings()[0].text.find("no such luck"), std::string::npos);
    EXPECT_EQ(report.findings()[1].text, "fine");
    EXPECT_EQ(report.exit_status(), 1);
}

TEST(Report, JsonHasAllOfIt) {
    const auto json = nlohmann::json::parse(
        report_of({ok("KVM", "fine"), problem("QEMU", "\xff none", "get one")}).json());
    EXPECT_EQ(json["verdict"], "problem");
    ASSERT_EQ(json["findings"].size(), 2U);
    EXPECT_EQ(json["findings"][0]["verdict"], "ok");
    EXPECT_EQ(json["findings"][1]["subject"], "QEMU");
    EXPECT_EQ(json["findings"][1]["fix"], "get one");
}

}  // namespace
}  // namespace virtgpu::doctor
