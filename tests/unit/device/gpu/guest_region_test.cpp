#include "device/gpu/guest_region.h"

#include "protocol/generated/structures.h"
#include "tests/unit/device/virtio/guest_file.h"

namespace virtgpu::gpu {
namespace {

using namespace test;

constexpr uint32_t kPage = 4096;

class GuestRegionTest : public testing::Test {
 protected:
    GuestRegionTest() { EXPECT_TRUE(memory_.add(file_.range(), file_.number())); }
    // Every other page of the guest's, so that none lie side by side.
    static std::vector<PageRun> scattered(size_t pages) {
        std::vector<PageRun> runs;
        for (size_t i = 0; i < pages; ++i)
            runs.push_back({kGuestBase + 2 * kPage * i, kPage});
        return runs;
    }

    GuestFile file_{2 * uint64_t{protocol::kMaxPieces} * kPage};
    virtio::GuestMemory memory_;
    GuestRegions regions_{memory_};
};

TEST_F(GuestRegionTest, PagesSideBySideAreOnePiece) {
    const auto region = regions_.assemble(std::vector<PageRun>{
        {kGuestBase + kPage, kPage}, {kGuestBase + 2 * kPage, 2 * kPage}, {kGuestBase, kPage}});
    ASSERT_TRUE(region);
    EXPECT_EQ((*region)->size(), 4U * kPage);
    ASSERT_EQ((*region)->pieces().size(), 2U);
    EXPECT_EQ((*region)->pieces()[0].offset, kPage);
    EXPECT_EQ((*region)->pieces()[0].size, 3U * kPage);
    EXPECT_EQ((*region)->pieces()[1].offset, 0U);
}

TEST_F(GuestRegionTest, PiecesAreCountedUntilTheLastUserIsGone) {
    auto all = regions_.assemble(scattered(protocol::kMaxPieces));
    ASSERT_TRUE(all);
    EXPECT_EQ(regions_.assemble(scattered(1)).error().fault(), wire::Fault::kRefused);
    bool freed = false;
    (*all)->when_free([&] { freed = true; });
    device::AnyMemory user = *all;
    all->reset();
    EXPECT_FALSE(freed);
    EXPECT_FALSE(regions_.assemble(scattered(1)));
    user.reset();
    EXPECT_TRUE(freed);
    EXPECT_TRUE(regions_.assemble(scattered(1)));
    EXPECT_EQ(regions_.pieces_in_use(), 0U);
}

TEST_F(GuestRegionTest, RefusesWhatIsNoWholePageOfTheGuests) {
    for (const PageRun& run : {PageRun{kGuestBase + 16, kPage}, PageRun{kGuestBase, 100},
                               PageRun{kGuestBase, 0}, PageRun{0, kPage}})
        EXPECT_FALSE(regions_.assemble(std::vector{run})) << run.address;
    EXPECT_FALSE(regions_.assemble({}));
}

TEST_F(GuestRegionTest, KeepsItsFileWhenTheVmmTellsOfItsMemoryAnew) {
    const auto region = regions_.assemble(scattered(1));
    ASSERT_TRUE(region);
    memory_.clear();
    EXPECT_TRUE(wire::map_region((*region)->pieces()[0].file, kPage));
}

}  // namespace
}  // namespace virtgpu::gpu
