#include "device/sealed_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "device/page_supply.h"
#include "wire/sys/mapped_region.h"

namespace virtgpu::device {
namespace {

class SealedMemoryTest : public testing::Test {
 protected:
    SealedMemoryAllocator allocator_of(uint64_t limit) { return {limit, pages_}; }

    const std::unique_ptr<EventLoop> loop_ = *EventLoop::create();
    const std::shared_ptr<PageSupply> pages_ = *PageSupply::create(*loop_);
};

TEST_F(SealedMemoryTest, CannotBeResized) {
    auto allocator = allocator_of(1 << 20);
    const auto memory = allocator.claim(5000);
    ASSERT_TRUE(memory);
    EXPECT_EQ((*memory)->size(), 8192U);
    EXPECT_NE(::ftruncate((*memory)->file(), 4096), 0);
    EXPECT_NE(::ftruncate((*memory)->file(), 16384), 0);
    EXPECT_EQ(::fcntl((*memory)->file(), F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
}

TEST_F(SealedMemoryTest, CountsUntilTheLastUserIsGone) {
    auto allocator = allocator_of(16384);
    auto first = *allocator.claim(8192);
    auto second = *allocator.claim(8192);
    const SharedMemory other_user = first;
    EXPECT_EQ(allocator.claim(1).error().fault(), wire::Fault::kRefused);
    first.reset();
    EXPECT_FALSE(allocator.claim(1));
    second.reset();
    EXPECT_TRUE(allocator.claim(1));
    EXPECT_EQ(allocator.used(), 8192U);
}

TEST_F(SealedMemoryTest, GivesItsPagesBackThoughSomebodyKeepsTheDescriptor) {
    auto allocator = allocator_of(1 << 20);
    auto memory = *allocator.claim(65536);
    pages_->provide(memory, [](const wire::Result<void>& pages) { EXPECT_TRUE(pages); });
    const wire::FileDescriptor kept(::dup(memory->file()));
    const auto blocks = [&] {
        struct stat status {};
        EXPECT_EQ(::fstat(kept.number(), &status), 0);
        return status.st_blocks;
    };
    EXPECT_GT(blocks(), 0);
    memory.reset();
    EXPECT_EQ(blocks(), 0);
    EXPECT_EQ(allocator.used(), 0U);
}

TEST_F(SealedMemoryTest, RefusesSizesThatWouldWrap) {
    EXPECT_FALSE(allocator_of(~uint64_t{0}).claim(0));
    EXPECT_FALSE(allocator_of(1 << 20).claim(~uint64_t{0} - 100));
}

TEST(SealedFile, IsRecognisedByAnotherDescriptor) {
    const auto file = *SealedFile::create(4096);
    const auto other = *SealedFile::create(4096);
    const wire::FileDescriptor copy(::dup(file->number()));
    EXPECT_EQ(*FileIdentity::of(copy.number()), file->identity());
    EXPECT_FALSE(file->identity() == other->identity());
}

TEST(SealedFile, PagesComeAndGo) {
    const auto file = *SealedFile::create(1 << 20);
    const auto blocks = [&] {
        struct stat status {};
        EXPECT_EQ(::fstat(file->number(), &status), 0);
        return status.st_blocks;
    };
    EXPECT_EQ(blocks(), 0);
    ASSERT_TRUE(file->allocate(4096, 8192));
    EXPECT_EQ(blocks() * 512, 8192);
    const auto region = *wire::map_region(file->number(), 1 << 20);
    const std::array<std::byte, 1> one{std::byte{1}};
    ASSERT_TRUE(region->copy_in(4096, one));
    file->discard(4096, 8192);
    EXPECT_EQ(blocks(), 0);
    std::array<std::byte, 1> read{std::byte{7}};
    ASSERT_TRUE(region->copy_out(4096, read));
    EXPECT_EQ(read[0], std::byte{0});
}

TEST_F(SealedMemoryTest, Virglrenderer31NoDescriptorIsClosedTwice) {
    auto allocator = allocator_of(uint64_t{1} << 20);
    for (int i = 0; i < 20; ++i) {
        auto memory = allocator.claim(4096);
        ASSERT_TRUE(memory);
        const int number = (*memory)->file();
        memory->reset();
        // Who gets the number next keeps it.
        const wire::FileDescriptor bystander(::open("/dev/null", O_RDWR | O_CLOEXEC));
        EXPECT_EQ(bystander.number(), number);
        auto another = allocator.claim(4096);
        another->reset();
        EXPECT_NE(::fcntl(bystander.number(), F_GETFD), -1);
    }
}

}  // namespace
}  // namespace virtgpu::device
