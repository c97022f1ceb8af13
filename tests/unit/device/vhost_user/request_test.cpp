#include "device/vhost_user/request.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/device/support.h"

namespace virtgpu::vhost_user {
namespace {

using test::bytes_of;

Result<Request> decode(RequestType type, std::vector<std::byte> payload, int files = 0) {
    Message message;
    message.request = static_cast<uint32_t>(type);
    message.payload = std::move(payload);
    for (int i = 0; i < files; ++i)
        message.files.emplace_back(::dup(0));
    return decode_request(std::move(message));
}

constexpr auto kRange = [](uint64_t base) {
    return bytes_of(base, uint64_t{0x2000}, uint64_t{0x7000}, uint64_t{0x1000});
};

TEST(Request, MemoryTables) {
    const auto two = test::joined(test::joined(bytes_of(2U, 0U), kRange(0)), kRange(0x10000));
    const auto request = decode(RequestType::kSetMemoryTable, two, 2);
    ASSERT_TRUE(request);
    const auto& regions = std::get<SetMemoryTable>(*request).regions;
    ASSERT_EQ(regions.size(), 2U);
    EXPECT_EQ(regions[1].range, (virtio::MemoryRange{0x10000, 0x2000, 0x7000, 0x1000}));
    EXPECT_FALSE(decode(RequestType::kSetMemoryTable, two, 1));
    EXPECT_FALSE(decode(RequestType::kSetMemoryTable, bytes_of(9U, 0U), 0));
    EXPECT_FALSE(decode(RequestType::kSetMemoryTable, bytes_of(1U, 0U), 1));
}

TEST(Request, VringNumbersAreChecked) {
    EXPECT_TRUE(decode(RequestType::kSetVringSize, bytes_of(1U, 256U)));
    EXPECT_FALSE(decode(RequestType::kSetVringSize, bytes_of(2U, 256U)));
    EXPECT_FALSE(decode(RequestType::kGetVringBase, bytes_of(~0U, 0U)));
    EXPECT_FALSE(decode(RequestType::kSetVringKick, bytes_of(uint64_t{2}), 1));
    EXPECT_FALSE(decode(RequestType::kSetVringAddress,
                        bytes_of(5U, 0U, uint64_t{0}, uint64_t{0}, uint64_t{0}, uint64_t{0})));
}

TEST(Request, VringDescriptorsMayBeMissing) {
    EXPECT_TRUE(decode(RequestType::kSetVringCall, bytes_of(uint64_t{0x101})));
    EXPECT_FALSE(decode(RequestType::kSetVringCall, bytes_of(uint64_t{1})));
    EXPECT_FALSE(decode(RequestType::kSetVringCall, bytes_of(uint64_t{1}), 2));
}

// A VMM that breaks the protocol must not cost us descriptors.
TEST(Request, OtherNumbersOfDescriptorsAreRefusedAndClosed) {
    const auto before = test::open_descriptors();
    for (const int files : {0, 2}) {
        EXPECT_FALSE(decode(RequestType::kSetBackendChannel, {}, files)) << files;
        EXPECT_FALSE(decode(RequestType::kGpuSetSocket, {}, files)) << files;
        EXPECT_FALSE(decode(RequestType::kSetVringKick, bytes_of(uint64_t{0}), files)) << files;
    }
    EXPECT_FALSE(decode(RequestType::kSetMemoryTable, bytes_of(0U, 0U), 1));
    EXPECT_TRUE(decode(RequestType::kGetFeatures, {}, 1)) << "what nobody asked for is dropped";
    EXPECT_EQ(test::open_descriptors(), before);
}

TEST(Request, ConfigurationSizesAreChecked) {
    EXPECT_TRUE(decode(RequestType::kGetConfig,
                       test::joined(bytes_of(0U, 16U, 0U), std::vector<std::byte>(16))));
    EXPECT_FALSE(decode(RequestType::kGetConfig, bytes_of(0U, 16U, 0U)));
    EXPECT_FALSE(decode(RequestType::kGetConfig,
                        test::joined(bytes_of(0U, 300U, 0U), std::vector<std::byte>(300))));
}

TEST(Request, UnknownOnesAreTold) {
    const auto request = decode(static_cast<RequestType>(6), {});
    ASSERT_TRUE(request);
    EXPECT_EQ(std::get<UnknownRequest>(*request).request, 6U);
}

TEST(Request, ShortOnesAreRefused) {
    for (const auto type : {RequestType::kSetFeatures, RequestType::kSetVringEnable,
                            RequestType::kSetProtocolFeatures})
        EXPECT_FALSE(decode(type, bytes_of(uint16_t{1})));
}

}  // namespace
}  // namespace virtgpu::vhost_user
