#include "device/page_supply.h"

#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "tests/unit/device/support.h"

namespace virtgpu::device {
namespace {

constexpr uint64_t kSteps = 3;

class PageSupplyTest : public testing::Test {
 protected:
    // Large enough not to be done at once.
    SharedMemory claim(uint64_t size = kSteps * PageSupply::kStep) {
        return *allocator_.claim(size);
    }
    void provide(const SharedMemory& memory) {
        outcome_.reset();
        pages_->provide(memory, [this](const wire::Result<void>& pages) { outcome_ = pages; });
    }
    static uint64_t bytes_of(int file) {
        struct stat status {};
        EXPECT_EQ(::fstat(file, &status), 0);
        return static_cast<uint64_t>(status.st_blocks) * 512;
    }
    bool step() { return loop_->run_once(std::chrono::milliseconds(0)).has_value(); }

    const std::unique_ptr<EventLoop> loop_ = *EventLoop::create();
    std::shared_ptr<PageSupply> pages_ = *PageSupply::create(*loop_);
    SealedMemoryAllocator allocator_{uint64_t{1} << 40, pages_};
    std::optional<wire::Result<void>> outcome_;
};

TEST_F(PageSupplyTest, AStepIsDoneAtOnce) {
    const SharedMemory memory = claim(65536);
    EXPECT_EQ(bytes_of(memory->file()), 0U);
    provide(memory);
    ASSERT_TRUE(outcome_);
    EXPECT_TRUE(*outcome_);
    EXPECT_EQ(bytes_of(memory->file()), 65536U);
}

TEST_F(PageSupplyTest, OthersAreServedBetweenTheSteps) {
    const EventFile other = *EventFile::create();
    other.signal();
    int served = 0;
    const auto watch = loop_->watch(other.number(), Interest::kReadable, [&] { ++served; });
    const SharedMemory memory = claim();
    provide(memory);
    EXPECT_FALSE(outcome_);
    for (uint64_t steps = 1; steps <= kSteps; ++steps) {
        EXPECT_FALSE(outcome_);
        ASSERT_TRUE(step());
        EXPECT_EQ(bytes_of(memory->file()), steps * PageSupply::kStep);
        EXPECT_EQ(served, static_cast<int>(steps));
    }
    ASSERT_TRUE(outcome_);
    EXPECT_TRUE(*outcome_);
    ASSERT_TRUE(step());
    EXPECT_EQ(bytes_of(memory->file()), memory->size());
}

TEST_F(PageSupplyTest, PagesGoInStepsAsWell) {
    SharedMemory memory = claim();
    provide(memory);
    test::run_until(*loop_, [&] { return outcome_.has_value(); });
    const wire::FileDescriptor kept(::dup(memory->file()));
    memory.reset();
    EXPECT_EQ(allocator_.used(), 0U);
    // What is asked for now has to wait for them.
    const SharedMemory next = claim();
    provide(next);
    EXPECT_EQ(bytes_of(kept.number()), kSteps * PageSupply::kStep);
    ASSERT_TRUE(step());
    EXPECT_EQ(bytes_of(kept.number()), (kSteps - 1) * PageSupply::kStep);
    EXPECT_EQ(bytes_of(next->file()), 0U);
    test::run_until(*loop_, [&] { return outcome_.has_value(); });
    EXPECT_EQ(bytes_of(kept.number()), 0U);
    EXPECT_EQ(bytes_of(next->file()), next->size());
}

TEST_F(PageSupplyTest, MemoryThatIsGivenUpGetsNoMorePages) {
    SharedMemory memory = claim();
    const wire::FileDescriptor kept(::dup(memory->file()));
    provide(memory);
    ASSERT_TRUE(step());
    memory.reset();
    test::run_until(*loop_, [&] { return outcome_.has_value(); });
    EXPECT_EQ(outcome_->error().fault(), wire::Fault::kRefused);
    EXPECT_EQ(allocator_.used(), 0U);
    test::run_until(*loop_, [&] { return bytes_of(kept.number()) == 0; });
}

}  // namespace
}  // namespace virtgpu::device
