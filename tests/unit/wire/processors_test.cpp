#include "wire/processors.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace virtgpu::wire {
namespace {

class ProcessorQuotaTest : public testing::Test {
 protected:
    ProcessorQuotaTest() {
        std::string pattern = testing::TempDir() + "virtgpu-groups-XXXXXX";  // tests run at once
        root_ = ::mkdtemp(pattern.data());
        std::filesystem::create_directories(root_ / "slice/service");
    }
    ~ProcessorQuotaTest() override { std::filesystem::remove_all(root_); }
    ProcessorQuotaTest(const ProcessorQuotaTest&) = delete;
    ProcessorQuotaTest& operator=(const ProcessorQuotaTest&) = delete;

    void limit(const std::string& group, const std::string& text) {
        std::ofstream(root_ / group / "cpu.max") << text;
    }
    unsigned quota() { return processor_quota(root_.string(), "/slice/service"); }

    std::filesystem::path root_;
};

TEST_F(ProcessorQuotaTest, NoneWithoutALimit) {
    EXPECT_EQ(quota(), 0U);
    limit("slice/service", "max 100000\n");
    EXPECT_EQ(quota(), 0U);
}

TEST_F(ProcessorQuotaTest, PartsOfAProcessorCountAsOne) {
    limit("slice/service", "250000 100000\n");
    EXPECT_EQ(quota(), 3U);
    limit("slice/service", "200000 100000\n");
    EXPECT_EQ(quota(), 2U);
    limit("slice/service", "1000 100000\n");
    EXPECT_EQ(quota(), 1U);
}

TEST_F(ProcessorQuotaTest, TheGroupsAroundCountToo) {
    limit("slice/service", "400000 100000\n");
    limit("slice", "100000 100000\n");
    EXPECT_EQ(quota(), 1U);
}

TEST(UsableProcessors, AreSome) {
    EXPECT_GE(usable_processors(), 1U);
}

}  // namespace
}  // namespace virtgpu::wire
