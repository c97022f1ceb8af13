// Buffers made of memory that the guest sees as well.
#include <gtest/gtest.h>

#include <cstring>

#include "backend/buffer.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"

namespace virtgpu::backend {
namespace {

constexpr uint32_t kShared = 8;
constexpr size_t kSharedBytes = size_t{2} << 20;

class ShareBufferTest : public HostTest {
 protected:
    void SetUp() override {
        HostTest::SetUp();
        greet();
        regions->regions[kShared] = make_region(kSharedBytes);
    }

    std::byte* shared(uint64_t offset = 0) {
        return regions->regions[kShared]->bulk(offset, 1)->data();
    }

    std::optional<protocol::Handle> share(uint64_t offset, uint64_t size) {
        const auto reply = control.share_buffer({0, {kShared, offset, size}});
        return reply ? std::optional(reply->buffer) : std::nullopt;
    }

    void run(const protocol::Graph& graph) {
        wire::Writer writer;
        ASSERT_TRUE(encode(writer, graph));
        ASSERT_TRUE(data().copy_in(0, writer.bytes()));
        ASSERT_TRUE(stream.open_stream({0}));
        ASSERT_TRUE(stream.define_graph({1, {kDataRegion, 0, writer.bytes().size()}}));
        ASSERT_TRUE(stream.run_graph({1}));
    }
};

ggml_tensor* sum_of_products(ggml_context* context) {
    ggml_tensor* const weights = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 48);
    ggml_tensor* const input = ggml_new_tensor_2d(context, GGML_TYPE_F32, 64, 5);
    ggml_tensor* const bias = ggml_new_tensor_1d(context, GGML_TYPE_F32, 48);
    return ggml_add(context, ggml_mul_mat(context, weights, input), bias);
}

TEST_F(ShareBufferTest, TheDeviceComputesOnTheGuestsBytes) {
    NativeGraph native(sum_of_products);
    constexpr uint64_t kOffset = 4096;
    const auto buffer = share(kOffset, native.size());
    ASSERT_TRUE(buffer) << control.last_message;
    std::memcpy(shared(kOffset), native.bytes(), native.size());
    run(native.describe(*buffer));
    ASSERT_EQ(native.compute(), GGML_STATUS_SUCCESS);
    EXPECT_EQ(std::memcmp(shared(kOffset), native.bytes(), native.size()), 0);
    EXPECT_EQ(context_->summary().bytes_in, 0U);
    EXPECT_EQ(context_->summary().bytes_out, 0U);
}

TEST_F(ShareBufferTest, CommandsWorkOnItAsOnOthers) {
    const auto buffer = share(64, 1024);
    ASSERT_TRUE(buffer);
    *shared(63) = *shared(64 + 1024) = std::byte{9};
    ASSERT_TRUE(control.clear_buffer({*buffer, 5}));
    EXPECT_EQ(*shared(64), std::byte{5});
    EXPECT_EQ(*shared(64 + 1023), std::byte{5});
    EXPECT_EQ(*shared(63), std::byte{9});
    EXPECT_EQ(*shared(64 + 1024), std::byte{9});
    ASSERT_TRUE(control.set_buffer_usage({*buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS}));
    ASSERT_TRUE(control.changed_buffer({*buffer, 1000, 24}));
    ASSERT_TRUE(control.free_buffer({*buffer}));
    EXPECT_TRUE(failure().empty()) << failure();
}

TEST_F(ShareBufferTest, ARegionThatIsGivenBackStaysAsLongAsItsBuffer) {
    const std::weak_ptr<wire::Region> region = regions->regions[kShared];
    const auto buffer = share(0, kSharedBytes);
    ASSERT_TRUE(buffer);
    regions->regions.erase(kShared);
    ASSERT_FALSE(region.expired());
    ASSERT_TRUE(control.clear_buffer({*buffer, 5}));
    EXPECT_EQ(region.lock()->bulk(kSharedBytes - 1, 1)->data()[0], std::byte{5});
    ASSERT_TRUE(control.free_buffer({*buffer}));
    EXPECT_TRUE(region.expired());
}

TEST_F(ShareBufferTest, MisalignedAndEmptyMemoryIsRefused) {
    EXPECT_FALSE(share(1, 1024));
    EXPECT_EQ(control.last_status, protocol::Status::kRefused);
    EXPECT_FALSE(share(0, 0));
    EXPECT_EQ(control.last_status, protocol::Status::kRefused);
    EXPECT_TRUE(share(0, 1024)) << "the context goes on";
}

TEST_F(ShareBufferTest, MemoryOutsideTheRegion) {
    EXPECT_FALSE(share(kSharedBytes - 64, 128));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("SHARE_BUFFER"), std::string::npos) << failure();
}

TEST_F(ShareBufferTest, AnUnknownRegion) {
    EXPECT_FALSE(control.share_buffer({0, {99, 0, 64}}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("no region 99"), std::string::npos) << failure();
}

TEST_F(ShareBufferTest, AnUnknownDevice) {
    EXPECT_FALSE(control.share_buffer({7, {kShared, 0, 64}}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

TEST_F(ShareBufferTest, ChangesOutsideTheBuffer) {
    const auto buffer = share(0, 1024);
    ASSERT_TRUE(buffer);
    EXPECT_FALSE(control.changed_buffer({*buffer, 1000, 25}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("CHANGED_BUFFER"), std::string::npos) << failure();
}

TEST_F(ShareBufferTest, ChangesWhoseOffsetWraps) {
    const auto buffer = share(0, 1024);
    ASSERT_TRUE(buffer);
    EXPECT_FALSE(control.changed_buffer({*buffer, UINT64_MAX, 2}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
}

// What the guest writes and reads by SET_TENSOR and GET_TENSOR, and copies by COPY_TENSOR, may be
// the buffer itself, by its region or by another buffer there.
class OntoThemselvesTest : public ShareBufferTest {
 protected:
    static constexpr uint64_t kBytes = 128;

    void expect_refused() {
        EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
        EXPECT_NE(failure().find("themselves"), std::string::npos) << failure();
    }
};

TEST_F(OntoThemselvesTest, BytesAreNotSet) {
    const auto buffer = share(4096, 4096);
    ASSERT_TRUE(buffer);
    *shared(4096 + 256) = std::byte{9};
    ASSERT_TRUE(
        control.set_tensor({bytes_of(*buffer, 0, kBytes), 0, {kShared, 4096 + kBytes, kBytes}}));
    ASSERT_TRUE(
        control.set_tensor({bytes_of(*buffer, 0, kBytes), 0, {kShared, 4096 + 256, kBytes}}));
    EXPECT_EQ(*shared(4096), std::byte{9}) << "bytes beside them may be set";
    EXPECT_FALSE(
        control.set_tensor({bytes_of(*buffer, 0, kBytes), 64, {kShared, 4096 + kBytes - 1, 64}}));
    expect_refused();
}

TEST_F(OntoThemselvesTest, BytesAreNotFetched) {
    const auto buffer = share(4096, 4096);
    ASSERT_TRUE(buffer);
    ASSERT_TRUE(control.get_tensor({bytes_of(*buffer, 64, kBytes), 0, {kShared, 4096, 64}}));
    EXPECT_FALSE(control.get_tensor({bytes_of(*buffer, 64, kBytes), 0, {kShared, 4096 + 1, 64}}));
    expect_refused();
}

TEST_F(OntoThemselvesTest, BytesAreNotCopiedBetweenBuffersOfOneRegion) {
    const auto buffer = share(0, 4096);
    const auto other = share(1024, 4096);
    ASSERT_TRUE(buffer && other);
    *shared() = std::byte{9};
    ASSERT_TRUE(control.copy_tensor({bytes_of(*buffer, 0, kBytes), bytes_of(*other, 0, kBytes)}));
    EXPECT_EQ(*shared(1024), std::byte{9});
    EXPECT_FALSE(
        control.copy_tensor({bytes_of(*buffer, 1024, kBytes), bytes_of(*other, 64, kBytes)}));
    EXPECT_EQ(control.last_status, protocol::Status::kMalformed);
    EXPECT_NE(failure().find("overlap"), std::string::npos) << failure();
}

class FewBuffersTest : public ShareBufferTest {
 protected:
    FewBuffersTest() { limits_ = {.buffers = 2, .memory_bytes = 1000}; }
};

TEST_F(FewBuffersTest, SharedOnesAreCountedButNotTheirMemory) {
    EXPECT_TRUE(share(0, 4096)) << "it is memory that the guest has already";
    EXPECT_TRUE(share(4096, 4096));
    EXPECT_FALSE(share(8192, 64));
    EXPECT_EQ(control.last_status, protocol::Status::kRefused);
}

// The processor's device, with properties of another.
class DeviceKindTest : public ::testing::Test {
 protected:
    static inline enum ggml_backend_dev_type type;
    static inline bool takes_pointers;

    void SetUp() override {
        const auto catalogue = Catalogue::load({.backends = {"cpu"}}, log_);
        ASSERT_TRUE(catalogue) << catalogue.error().message();
        device_ = **(*catalogue)->device(0);
        device_.iface.get_props = [](ggml_backend_dev_t, ggml_backend_dev_props* properties) {
            *properties = {};
            properties->type = type;
            properties->caps.buffer_from_host_ptr = takes_pointers;
        };
    }

    bool shares() {
        const auto region = make_region(4096);
        const auto buffer = Buffer::share(&device_, region, *region->bulk(0, 4096));
        EXPECT_EQ(buffer.has_value(), Buffer::can_share(&device_));
        return buffer.has_value();
    }

    RecordingLog log_;
    ggml_backend_device device_{};
};

TEST_F(DeviceKindTest, OnlyDevicesBesideTheProcessorShare) {
    takes_pointers = true;
    for (const auto sharing : {GGML_BACKEND_DEVICE_TYPE_CPU, GGML_BACKEND_DEVICE_TYPE_IGPU}) {
        type = sharing;
        EXPECT_TRUE(shares()) << sharing;
    }
    type = GGML_BACKEND_DEVICE_TYPE_GPU;
    EXPECT_FALSE(shares()) << "it has memory of its own";
    takes_pointers = false;
    type = GGML_BACKEND_DEVICE_TYPE_IGPU;
    EXPECT_FALSE(shares());
}

}  // namespace
}  // namespace virtgpu::backend
