// Buffers in memory that the host sees as well.
#include <numeric>

#include "frontend/remote_buffer.h"
#include "tests/unit/frontend/shared_memory_fixture.h"

namespace virtgpu::frontend {
namespace {

using SharedBufferTest = SharedMemoryTest;

TEST_F(SharedBufferTest, LargeBuffersAreShared) {
    const auto type = ggml_backend_dev_buffer_type(device_);
    const GgmlBuffer small(ggml_backend_buft_alloc_buffer(type, kSmallestShared - 1));
    EXPECT_EQ(host_.count(Command::kAllocBuffer), 1);
    EXPECT_EQ(host_.count(Command::kShareBuffer), 0);
    const GgmlBuffer large(ggml_backend_buft_alloc_buffer(type, kSmallestShared));
    const auto asked = host_.requests<protocol::ShareBufferRequest>(Command::kShareBuffer);
    ASSERT_EQ(asked.size(), 1U);
    EXPECT_EQ(asked[0].memory.size, kSmallestShared);
    EXPECT_EQ(host_.count(Command::kAllocBuffer), 1);
    EXPECT_EQ(ggml_backend_buffer_get_base(large.get()), host_.memory(1).data());
    EXPECT_FALSE(ggml_backend_buffer_is_host(large.get())) << "it must not be touched at any time";
}

TEST_F(SharedBufferTest, AFreedBufferGivesItsMemoryBack) {
    GgmlBuffer buffer = allocate_shared();
    const auto asked = host_.requests<protocol::ShareBufferRequest>(Command::kShareBuffer);
    const uint32_t region = asked.at(0).memory.region;
    EXPECT_TRUE(host_.fake.region(region));
    buffer.reset();
    EXPECT_THROW(host_.fake.region(region), std::out_of_range);
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, ggml_add(context_.get(), small_, small_)));
    EXPECT_EQ(host_.count(Command::kFreeBuffer), 1);
}

TEST_F(SharedBufferTest, ARefusalLeavesTheHostsOwnMemory) {
    host_.refuses_to_share = true;
    const GgmlBuffer buffer = allocate_shared();
    EXPECT_EQ(host_.count(Command::kShareBuffer), 1);
    EXPECT_EQ(host_.count(Command::kAllocBuffer), 1);
    fill(large_, 3);
    EXPECT_EQ(byte_of(large_), 3);
    EXPECT_GE(host_.count(Command::kSetTensor), 1);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(SharedBufferTest, WithoutARegionThereIsTheHostsOwnMemory) {
    host_.fake.largest_region = kSmallestShared;
    const GgmlBuffer buffer = allocate_shared();
    EXPECT_EQ(host_.count(Command::kShareBuffer), 0);
    EXPECT_EQ(host_.count(Command::kAllocBuffer), 1);
    fill(large_, 3);
    EXPECT_EQ(byte_of(large_), 3);
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(SharedBufferTest, TransfersAreCopiesWhileTheHostHasNothingToDo) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend backend = open_backend();
    ggml_backend_synchronize(backend.get());
    const int requests = host_.fake.commands();
    stop_host();
    ggml_backend_buffer_clear(buffer.get(), 1);
    EXPECT_EQ(seen_by_host(small_), std::byte{1});
    ggml_backend_tensor_memset(large_, 2, 0, 10);
    EXPECT_EQ(seen_by_host(large_), std::byte{2});
    EXPECT_EQ(seen_by_host(large_, 10), std::byte{1});
    std::vector<uint8_t> values(kLargeBytes);
    std::iota(values.begin(), values.end(), uint8_t{3});
    ggml_backend_tensor_set(large_, values.data(), 0, values.size());
    EXPECT_EQ(seen_by_host(large_, 5), std::byte{8});
    ggml_backend_tensor_set(large_, values.data(), 100, 4);
    EXPECT_EQ(seen_by_host(large_, 100), std::byte{3});
    EXPECT_EQ(byte_of(large_, 101), 4);
    EXPECT_EQ(byte_of(large_, 99), 102);
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
    EXPECT_EQ(host_.fake.commands(), requests);
}

TEST_F(SharedBufferTest, SmallWritesAreQueuedWhileTheHostComputes) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend backend = open_backend();
    fill(small_, 1);
    stop_host();
    ASSERT_EQ(ggml_backend_graph_compute_async(backend.get(), graph_), GGML_STATUS_SUCCESS);
    fill(small_, 2);
    EXPECT_EQ(seen_by_host(small_), std::byte{1});
    ggml_backend_tensor_memset(small_, 3, 0, 1);
    EXPECT_EQ(seen_by_host(small_), std::byte{1});
    ggml_backend_buffer_clear(buffer.get(), 4);
    EXPECT_EQ(seen_by_host(small_), std::byte{1});
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
    EXPECT_EQ(byte_of(small_), 4) << "reading waits for all of it";
    EXPECT_EQ(host_.count(Command::kSetTensor), 1);
    EXPECT_EQ(host_.count(Command::kMemsetTensor), 1);
    EXPECT_EQ(host_.count(Command::kClearBuffer), 1);
}

TEST_F(SharedBufferTest, LargeWritesWaitWhileTheHostComputes) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend backend = open_backend();
    fill(large_, 1);
    std::atomic<int> computed_with = 0;
    host_.compute_by([&] { computed_with = static_cast<int>(seen_by_host(large_)); });
    host_.fake.serves_rings = false;
    ASSERT_EQ(ggml_backend_graph_compute_async(backend.get(), graph_), GGML_STATUS_SUCCESS);
    const std::jthread later = resume_later();
    fill(large_, 2);
    EXPECT_EQ(computed_with, 1);
    EXPECT_EQ(seen_by_host(large_), std::byte{2});
    EXPECT_EQ(host_.count(Command::kSetTensor), 0);
}

TEST_F(SharedBufferTest, ReadsWaitWhileTheHostComputes) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend backend = open_backend();
    compute_fills_with(7);
    host_.fake.serves_rings = false;
    ASSERT_EQ(ggml_backend_graph_compute_async(backend.get(), graph_), GGML_STATUS_SUCCESS);
    const std::jthread later = resume_later();
    EXPECT_EQ(byte_of(small_), 7);
    EXPECT_EQ(host_.count(Command::kGetTensor), 0);
}

// As of another llama.cpp context on the same device.
TEST_F(SharedBufferTest, WorkInOtherBuffersIsNotWaitedFor) {
    const GgmlBuffer buffer = allocate_shared();
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_cgraph* const others = graph_of(ggml_scale(context_.get(), a, 2.0F));
    const GgmlBuffer others_buffer = allocate();
    const GgmlBackend backend = open_backend();
    stop_host();
    ASSERT_EQ(ggml_backend_graph_compute_async(backend.get(), others), GGML_STATUS_SUCCESS);
    fill(small_, 2);
    fill(large_, 3);
    EXPECT_EQ(seen_by_host(small_), std::byte{2});
    EXPECT_EQ(byte_of(large_), 3);
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
}

// Without a wait in between there is no other moment to say so.
TEST_F(SharedBufferTest, AFailureOfWhatWasQueuedGivesZeroes) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend backend = open_backend();
    fill(small_, 1);
    host_.refuses_graphs = true;
    ASSERT_EQ(ggml_backend_graph_compute_async(backend.get(), graph_), GGML_STATUS_SUCCESS);
    // OPEN_STREAM, DEFINE_GRAPH, RUN_GRAPH of the first stream.
    while (host_.fake.completed(1) < 3)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(byte_of(small_), 0);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("no such graph"));
}

// It is the buffer that counts, and not who computes.
TEST_F(SharedBufferTest, AnotherDevicesWorkInTheBufferIsWaitedFor) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend other(ggml_backend_dev_init(registry_.device(1), nullptr));
    ASSERT_TRUE(other);
    compute_fills_with(7);
    host_.fake.serves_rings = false;
    ASSERT_EQ(ggml_backend_graph_compute_async(other.get(), graph_), GGML_STATUS_SUCCESS);
    const std::jthread later = resume_later();
    EXPECT_EQ(byte_of(small_), 7);
}

TEST_F(SharedBufferTest, CopiesBetweenBuffersAreTheHosts) {
    const GgmlBuffer buffer = allocate_shared();
    ggml_tensor* const copy = ggml_dup_tensor(context_.get(), large_);
    const GgmlBuffer other = allocate();
    fill(large_, 6);
    ggml_backend_tensor_copy(large_, copy);
    EXPECT_EQ(byte_of(copy), 6);
    EXPECT_EQ(host_.count(Command::kCopyTensor), 1);
}

// ggml asserts what is refused here, but for views that were made by hand.
TEST_F(SharedBufferTest, BytesOutsideTheBufferAreRefused) {
    const GgmlBuffer buffer = allocate_shared();
    auto& remote = static_cast<RemoteBuffer&>(*buffer_behind(buffer.get()));
    const size_t size = ggml_backend_buffer_get_size(buffer.get());
    std::array<std::byte, 8> bytes{};
    for (const size_t offset : {size - 4, size + 1, SIZE_MAX - 2}) {
        EXPECT_EQ(remote.set_tensor(*first_, offset, bytes).error().fault(), wire::Fault::kRefused);
        EXPECT_EQ(remote.get_tensor(*first_, offset, bytes).error().fault(), wire::Fault::kRefused);
        EXPECT_EQ(remote.memset_tensor(*first_, 1, offset, 8).error().fault(),
                  wire::Fault::kRefused);
    }
    EXPECT_TRUE(remote.set_tensor(*first_, size - 8, bytes));
}

TEST_F(SharedBufferTest, ALostHostGivesZeroes) {
    const GgmlBuffer buffer = allocate_shared();
    const GgmlBackend backend = open_backend();
    fill(small_, 1);
    stop_host();
    ASSERT_EQ(ggml_backend_graph_compute_async(backend.get(), graph_), GGML_STATUS_SUCCESS);
    EXPECT_EQ(byte_of(small_), 0);
    fill(small_, 2);
    EXPECT_EQ(seen_by_host(small_), std::byte{1}) << "nothing is done any more";
    EXPECT_EQ(byte_of(small_), 0);
}

}  // namespace
}  // namespace virtgpu::frontend
