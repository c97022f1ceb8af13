// Transfers where a device computes in the background.
#include <gtest/gtest.h>

#include "tests/unit/backend/background_device.h"
#include "tests/unit/backend/host_fixture.h"

namespace virtgpu::backend {
namespace {

constexpr uint64_t kBytes = 256;

class TwoDevicesTest : public HostTest {
 protected:
    TwoDevicesTest() {
        BackgroundDevice::registered();
        backends_ = {"cpu", BackgroundDevice::kName};
    }
    void SetUp() override {
        HostTest::SetUp();
        const auto reply = control.hello(hello_of_this_ggml());
        ASSERT_TRUE(reply) << reply.error().message();
        ASSERT_EQ(reply->devices.size(), 2U);
        processor_ = reply->devices[0].name == "CPU" ? 0 : 1;
        ASSERT_TRUE(stream.open_stream({1 - processor_}));
        misused_ = BackgroundDevice::registered().misused();
    }

    // Whether what is set by one ring is fetched by another.
    void expect_carried(protocol::Handle buffer, RingGuest& by, RingGuest& back) {
        const std::string text = "some of the bytes";
        ASSERT_TRUE(data().copy_in(0, std::as_bytes(std::span(text))));
        const auto tensor = bytes_of(buffer, 0, kBytes);
        const auto set = by.set_tensor({tensor, 3, {kDataRegion, 0, text.size()}});
        ASSERT_TRUE(set) << set.error().message();
        ASSERT_TRUE(back.get_tensor({tensor, 3, {kDataRegion, 100, text.size()}}));
        std::string fetched(text.size(), ' ');
        ASSERT_TRUE(data().copy_out(100, std::as_writable_bytes(std::span(fetched))));
        EXPECT_EQ(fetched, text);
        EXPECT_TRUE(failure().empty()) << failure();
        EXPECT_EQ(BackgroundDevice::registered().misused(), misused_);
    }

    protocol::Handle buffer_of(uint32_t device) {
        const auto reply = control.alloc_buffer({device, kBytes});
        EXPECT_TRUE(reply) << reply.error().message();
        return reply ? reply->buffer : protocol::Handle();
    }

    uint32_t processor_ = 0;
    size_t misused_ = 0;
};

// GPUs' backends assert that a transfer names a buffer of theirs.
TEST_F(TwoDevicesTest, AStreamCarriesTheBytesOfAnotherDevicesBuffer) {
    expect_carried(buffer_of(processor_), stream, stream);
}

TEST_F(TwoDevicesTest, AStreamCarriesTheBytesOfItsOwnDevicesBuffer) {
    expect_carried(buffer_of(1 - processor_), stream, control);
}

TEST_F(TwoDevicesTest, Ring0CarriesTheBytesOfAnyBuffer) {
    expect_carried(buffer_of(1 - processor_), control, stream);
    expect_carried(buffer_of(processor_), control, control);
}

}  // namespace
}  // namespace virtgpu::backend
