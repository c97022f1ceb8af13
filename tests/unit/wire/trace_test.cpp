#include "wire/trace.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace virtgpu::wire {
namespace {

using std::chrono::microseconds;
using testing::HasSubstr;

class TraceTest : public testing::Test {
 protected:
    TraceTest() { std::filesystem::create_directories(folder_); }
    ~TraceTest() override { std::filesystem::remove_all(folder_); }

    std::string text() const {
        std::ostringstream all;
        for (const auto& file : std::filesystem::directory_iterator(folder_))
            all << std::ifstream(file.path()).rdbuf();
        return all.str();
    }

    const std::string folder_ = testing::TempDir() + "trace_test";
};

TEST_F(TraceTest, EventsAreSoonInTheFileAndInSharedTime) {
    const auto trace = Trace::create(folder_, "guest");
    ASSERT_TRUE(trace) << trace.error().message();
    (*trace)->set_shift(microseconds(1000));
    // Longer ago than lines are kept back.
    const Trace::Clock::time_point begin{microseconds(100005)};
    (*trace)->add("RUN_GRAPH", 7, 3, 42, begin, begin + microseconds(2));
    // Not closed: a process that is killed leaves as much.
    EXPECT_THAT(text(), HasSubstr(R"({"name":"RUN_GRAPH","ph":"X","ts":101005.000,"dur":2.000,)"));
    EXPECT_THAT(text(), HasSubstr(R"("tid":3,"args":{"context":7,"sequence":42}})"));
}

TEST_F(TraceTest, SpanLastsAsLongAsTheObject) {
    const auto trace = Trace::create(folder_, "host");
    ASSERT_TRUE(trace);
    { const TraceSpan span(trace->get(), "wait", 1, 2, 3); }
    { const TraceSpan span(nullptr, "nothing", 1, 2, 3); }
    EXPECT_THAT(text(), HasSubstr(R"("name":"wait")"));
    EXPECT_THAT(text(), Not(HasSubstr("nothing")));
}

TEST_F(TraceTest, FolderThatDoesNotExistIsRefused) {
    const auto trace = Trace::create(folder_ + "/none", "host");
    ASSERT_FALSE(trace);
    EXPECT_THAT(trace.error().message(), HasSubstr("is it a folder of yours?"));
}

}  // namespace
}  // namespace virtgpu::wire
