#include "wire/limited_log.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace virtgpu::wire {
namespace {

class Lines : public Log {
 public:
    bool enabled(LogLevel level) const override { return debug || level != LogLevel::kDebug; }
    void write(LogLevel /*level*/, std::string_view message) override { all.emplace_back(message); }

    bool debug = false;
    std::vector<std::string> all;
};

TEST(LimitedLog, LeavesOutWhatIsTooMuchAndSaysSo) {
    Lines lines;
    LimitedLog log(lines, 3, std::chrono::milliseconds(50));
    for (int i = 0; i < 10; ++i)
        log.info("{}", i);
    EXPECT_EQ(lines.all,
              (std::vector<std::string>{"0", "1", "2", "too many lines; the next are left out"}));
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    log.error("later");
    ASSERT_EQ(lines.all.size(), 6U);
    EXPECT_EQ(lines.all[4], "7 lines were left out");
    EXPECT_EQ(lines.all[5], "later");
}

TEST(LimitedLog, WhoDebugsSeesAll) {
    Lines lines;
    lines.debug = true;
    LimitedLog log(lines, 1, std::chrono::hours(1));
    for (int i = 0; i < 5; ++i)
        log.info("{}", i);
    EXPECT_EQ(lines.all.size(), 5U);
}

}  // namespace
}  // namespace virtgpu::wire
