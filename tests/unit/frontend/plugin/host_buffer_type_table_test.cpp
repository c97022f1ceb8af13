#include "frontend/plugin/host_buffer_type_table.h"

#include <array>

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

class HostBufferTypeTableTest : public PluginTest {
 protected:
    // Staging areas are smaller, and every transfer of this size is worth a wait.
    static constexpr size_t kBytes = size_t{8} << 20;

    void SetUp() override {
        here_.reset(ggml_backend_buft_alloc_buffer(type_, kBytes));
        ASSERT_TRUE(here_);
        base_ = static_cast<std::byte*>(ggml_backend_buffer_get_base(here_.get()));
        std::memset(base_, 5, kBytes);
        tensor_ = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I8, kBytes);
        there_ = allocate();
    }

    // Where the host was told that data lies.
    std::byte* named(const protocol::RegionSpan& span) {
        return host_.fake.region(span.region)->bulk(span.offset, span.size)->data();
    }
    std::vector<protocol::SetTensorRequest> sets() const {
        return host_.requests<protocol::SetTensorRequest>(Command::kSetTensor);
    }
    std::vector<protocol::GetTensorRequest> gets() const {
        return host_.requests<protocol::GetTensorRequest>(Command::kGetTensor);
    }

    ggml_backend_buffer_type_t type_ = ggml_backend_dev_host_buffer_type(device_);
    GgmlBuffer here_;
    std::byte* base_ = nullptr;
    ggml_tensor* tensor_ = nullptr;
    GgmlBuffer there_;
};

TEST_F(HostBufferTypeTableTest, IsMemoryOfThisSide) {
    EXPECT_STREQ(ggml_backend_buft_name(type_), "virtgpu0_Host");
    EXPECT_TRUE(ggml_backend_buft_is_host(type_));
    EXPECT_TRUE(ggml_backend_buffer_is_host(here_.get()));
    EXPECT_EQ(ggml_backend_buft_get_device(type_), device_);
    EXPECT_EQ(ggml_backend_buffer_get_type(here_.get()), type_);
    EXPECT_EQ(ggml_backend_buffer_get_size(here_.get()), kBytes);
    EXPECT_FALSE(ggml_backend_dev_supports_buft(device_, type_)) << "graphs are not computed there";
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device_, &props);
    EXPECT_TRUE(props.caps.host_buffer);
    const GgmlBuffer empty(ggml_backend_buft_alloc_buffer(type_, 0));
    EXPECT_TRUE(empty);
}

TEST_F(HostBufferTypeTableTest, TheHostReadsThereItself) {
    ggml_backend_tensor_set(tensor_, base_ + 100, 0, kBytes - 100);
    ASSERT_EQ(sets().size(), 1U) << "in one piece";
    EXPECT_EQ(named(sets()[0].data), base_ + 100);
    EXPECT_EQ(sets()[0].data.size, kBytes - 100);
    EXPECT_EQ(host_.memory(0)[0], std::byte{5}) << "it is done: the bytes are the caller's again";
}

TEST_F(HostBufferTypeTableTest, TheHostWritesThereItself) {
    std::memset(host_.memory(0).data(), 7, kBytes);
    ggml_backend_tensor_get(tensor_, base_ + 100, 50, 1000);
    ASSERT_EQ(gets().size(), 1U);
    EXPECT_EQ(named(gets()[0].data), base_ + 100);
    EXPECT_EQ(base_[99], std::byte{5});
    EXPECT_EQ(base_[100], std::byte{7});
    EXPECT_EQ(base_[1099], std::byte{7});
    EXPECT_EQ(base_[1100], std::byte{5});
}

// Less than a wait costs.
TEST_F(HostBufferTypeTableTest, SmallWritesAreCopied) {
    host_.fake.serves_rings = false;
    ggml_backend_tensor_set(tensor_, base_, 0, 100);
    std::memset(base_, 6, 100);
    host_.fake.serves_rings = true;
    uint8_t back = 0;
    ggml_backend_tensor_get(tensor_, &back, 99, 1);
    EXPECT_EQ(back, 5);
    EXPECT_NE(named(sets().at(0).data), base_);
}

TEST_F(HostBufferTypeTableTest, AsynchronousTransfersNameItAsWell) {
    const GgmlBackend backend = open_backend();
    ggml_backend_tensor_set_async(backend.get(), tensor_, base_, 0, 100);
    ggml_backend_tensor_get_async(backend.get(), tensor_, base_ + 200, 0, 100);
    ggml_backend_tensor_get_async(backend.get(), tensor_, base_ + 4096, 0, kBytes - 4096);
    ggml_backend_synchronize(backend.get());
    ASSERT_EQ(sets().size(), 1U);
    EXPECT_EQ(named(sets()[0].data), base_);
    ASSERT_EQ(gets().size(), 2U);
    EXPECT_EQ(named(gets()[0].data), base_ + 200);
    EXPECT_EQ(named(gets()[1].data), base_ + 4096);
    EXPECT_EQ(base_[299], std::byte{5});
    EXPECT_EQ(base_[4096 + 100], std::byte{0}) << "the tensor had nothing there";
}

TEST_F(HostBufferTypeTableTest, OtherMemoryIsCopied) {
    std::vector<std::byte> elsewhere(kBytes, std::byte{4});
    ggml_backend_tensor_set(tensor_, elsewhere.data(), 0, kBytes);
    std::fill(elsewhere.begin(), elsewhere.end(), std::byte{0});
    ggml_backend_tensor_get(tensor_, elsewhere.data(), 0, kBytes);
    EXPECT_EQ(elsewhere, std::vector<std::byte>(kBytes, std::byte{4}));
    EXPECT_GT(sets().size(), 1U);
    EXPECT_GT(gets().size(), 1U);
}

// The host may still read or write there.
TEST_F(HostBufferTypeTableTest, FreeingWaitsForWhatIsQueued) {
    const GgmlBackend backend = open_backend();
    ggml_backend_tensor_set_async(backend.get(), tensor_, base_, 0, kBytes);
    const uint32_t region = [&] {
        ggml_backend_synchronize(backend.get());
        return sets().at(0).data.region;
    }();
    host_.fake.serves_rings = false;
    std::memset(base_, 8, kBytes);
    ggml_backend_tensor_set_async(backend.get(), tensor_, base_, 0, kBytes);
    const std::jthread later([this] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        host_.fake.serves_rings = true;
    });
    here_.reset();
    EXPECT_EQ(host_.memory(0)[kBytes - 1], std::byte{8});
    EXPECT_THROW(host_.fake.region(region), std::out_of_range) << "it was given back";
}

TEST_F(HostBufferTypeTableTest, WithoutARegionItIsOrdinaryMemory) {
    host_.fake.largest_region = kBytes - 1;
    const GgmlBuffer ordinary(ggml_backend_buft_alloc_buffer(type_, kBytes));
    ASSERT_TRUE(ordinary);
    EXPECT_TRUE(ggml_backend_buffer_is_host(ordinary.get()));
    auto* const base = static_cast<std::byte*>(ggml_backend_buffer_get_base(ordinary.get()));
    std::memset(base, 9, kBytes);
    ggml_backend_tensor_set(tensor_, base, 0, kBytes);
    std::memset(base, 0, kBytes);
    ggml_backend_tensor_get(tensor_, base, 0, kBytes);
    EXPECT_EQ(base[kBytes - 1], std::byte{9});
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(HostBufferTypeTableTest, ALostHostGivesZeroes) {
    const GgmlBackend backend = open_backend();
    stop_host();
    ggml_backend_tensor_get_async(backend.get(), tensor_, base_, 0, 100);
    ggml_backend_synchronize(backend.get());
    EXPECT_EQ(base_[99], std::byte{0});
    EXPECT_EQ(base_[100], std::byte{5});
    ggml_backend_tensor_get(tensor_, base_ + 100, 0, 100);
    EXPECT_EQ(base_[199], std::byte{0});
}

// What ggml 0.25 would read.
TEST_F(HostBufferTypeTableTest, OlderGgmlGetsItsOwnLayout) {
    Registry registry(ggml_private::PluginAbi::kVersion2, {}, log_);
    auto connection = Connection::open(host_.fake.make_transport(), log_);
    ASSERT_TRUE(connection);
    registry.add(std::move(*connection));
    const ggml_backend_dev_t device = registry.device(0);
    const auto type = device->iface.get_host_buffer_type(device);
    const auto* const table = reinterpret_cast<ggml_backend_buffer_type_v2*>(type);
    EXPECT_EQ(table->device, device);
    EXPECT_STREQ(table->iface.get_name(type), "virtgpu0_Host");
    EXPECT_TRUE(table->iface.is_host(type));
    EXPECT_EQ(table->iface.get_alignment(type), ggml_backend_buft_get_alignment(type_));
    const GgmlBuffer buffer(table->iface.alloc_buffer(type, 4096));
    ASSERT_TRUE(buffer);
    EXPECT_NE(ggml_backend_buffer_get_base(buffer.get()), nullptr);
}

}  // namespace
}  // namespace virtgpu::frontend
