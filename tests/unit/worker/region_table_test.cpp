#include "worker/region_table.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace virtgpu::worker {
namespace {

constexpr uint32_t kContext = 1;
constexpr uint32_t kRegion = 4;

class NoPinning : public backend::RegionPinning {
 public:
    std::unique_ptr<backend::PinnedRegion> pin(const wire::BulkData& /*memory*/) override {
        return nullptr;
    }
};

wire::FileDescriptor sealed_file(uint64_t size) {
    wire::FileDescriptor file(::memfd_create("region", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    EXPECT_EQ(::ftruncate(file.number(), static_cast<off_t>(size)), 0);
    EXPECT_EQ(::fcntl(file.number(), F_ADD_SEALS, F_SEAL_SHRINK), 0);
    return file;
}

class RegionTableTest : public ::testing::Test {
 protected:
    wire::Result<void> add(uint64_t size) {
        const wire::FileDescriptor file = sealed_file(size);
        return table_.add({kContext, kRegion, size, 0}, file, {});
    }

    RegionTable table_{std::make_shared<NoPinning>()};
};

TEST_F(RegionTableTest, RegionsComeAndGo) {
    ASSERT_TRUE(add(4096));
    const auto region = table_.find(kRegion);
    ASSERT_TRUE(region) << region.error().message();
    EXPECT_EQ((*region)->size(), 4096U);
    EXPECT_FALSE(add(4096)) << "the number is taken";
    table_.remove(kRegion);
    EXPECT_TRUE(add(8192));
}

TEST_F(RegionTableTest, ARegionThatThereNeverWasIsTheGuestsFault) {
    const auto region = table_.find_now(kRegion);
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().fault(), wire::Fault::kPeer);
}

// More than an address space holds.
TEST_F(RegionTableTest, ARegionThatDoesNotFitIsNotTheGuestsFault) {
    ASSERT_FALSE(add(uint64_t{1} << 48));
    const auto region = table_.find(kRegion);
    ASSERT_FALSE(region);
    EXPECT_EQ(region.error().fault(), wire::Fault::kRefused);
    EXPECT_NE(region.error().message().find("mapping a region of"), std::string::npos)
        << region.error().message();
    table_.remove(kRegion);
    EXPECT_TRUE(add(4096)) << "the number is free again";
}

}  // namespace
}  // namespace virtgpu::worker
