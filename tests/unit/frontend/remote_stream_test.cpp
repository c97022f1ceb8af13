// Asynchronous transfers of buffers in memory that the host sees as well, and of weights there.
#include "tests/unit/frontend/shared_memory_fixture.h"

namespace virtgpu::frontend {
namespace {

class SharedStreamTest : public SharedMemoryTest {
 protected:
    using SharedMemoryTest::SharedMemoryTest;

    void compute() {
        ASSERT_EQ(ggml_backend_graph_compute_async(backend_.get(), graph_), GGML_STATUS_SUCCESS);
    }
    // A question behind which all that was queued on ring 0 is done.
    void serve_ring0() {
        EXPECT_TRUE(ggml_backend_dev_offload_op(device_, ggml_graph_node(graph_, 0)));
    }
    void ask(const ggml_tensor* tensor, std::span<uint8_t> to) {
        ggml_backend_tensor_get_async(backend_.get(), tensor, to.data(), 0, to.size());
    }
    // For bytes of 7, over which a copy of 6 is queued on ring 0. The buffer is the copy's source.
    GgmlBuffer ask_behind_a_queued_copy() {
        ggml_tensor* const source = ggml_dup_tensor(context_.get(), small_);
        GgmlBuffer other = allocate();
        fill(source, 6);
        fill(small_, 7);
        host_.fake.serves_rings = false;
        ggml_backend_tensor_copy(source, small_);
        ask(small_, bytes_);
        return other;
    }
    void give(ggml_tensor* tensor, std::span<const uint8_t> from) {
        ggml_backend_tensor_set_async(backend_.get(), tensor, from.data(), 0, from.size());
    }

    GgmlBuffer buffer_ = allocate_shared();
    GgmlBackend backend_ = open_backend();
    std::array<uint8_t, 16> bytes_{};
};

TEST_F(SharedStreamTest, ResultsAreFetchedFromWhereTheyWereComputed) {
    compute_fills_with(7);
    host_.fake.serves_rings = false;
    compute();
    ask(small_, bytes_);
    EXPECT_THAT(bytes_, testing::Each(0));
    resume_host();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(7));
    EXPECT_EQ(host_.count(Command::kGetTensor), 0);
}

TEST_F(SharedStreamTest, ResultsAreThoseFromBeforeTheNextGraph) {
    host_.compute_by(
        [this, value = 6]() mutable { std::memset(small_->data, ++value, ggml_nbytes(small_)); });
    compute();
    ask(small_, bytes_);
    compute();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(7));
    EXPECT_EQ(host_.count(Command::kGetTensor), 1);
    EXPECT_EQ(byte_of(small_), 8);
}

TEST_F(SharedStreamTest, ResultsAreThoseFromBeforeTheNextWrite) {
    fill(small_, 7);
    ask(small_, bytes_);
    give(small_, std::vector<uint8_t>(16, 8));
    EXPECT_THAT(bytes_, testing::Each(7)) << "there was nothing to wait for";
    EXPECT_EQ(seen_by_host(small_), std::byte{8});
    EXPECT_EQ(host_.count(Command::kGetTensor), 0);
    EXPECT_EQ(host_.count(Command::kSetTensor), 0);
}

TEST_F(SharedStreamTest, WritesAreQueuedBehindGraphs) {
    compute_fills_with(7);
    stop_host();
    compute();
    ask(small_, bytes_);
    give(small_, std::vector<uint8_t>(16, 8));
    give(large_, std::vector<uint8_t>(kLargeBytes, 9));
    EXPECT_EQ(seen_by_host(small_), std::byte{0});
    EXPECT_EQ(seen_by_host(large_), std::byte{0});
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(7)) << "from before the write";
    EXPECT_EQ(seen_by_host(small_), std::byte{8});
    EXPECT_EQ(seen_by_host(large_), std::byte{9});
}

TEST_F(SharedStreamTest, ResultsAreThoseFromBeforeACopy) {
    ggml_tensor* const source = ggml_dup_tensor(context_.get(), small_);
    const GgmlBuffer other = allocate();
    fill(source, 6);
    fill(small_, 7);
    ask(small_, bytes_);
    const GgmlBackend reader = open_backend();
    ggml_backend_tensor_copy_async(backend_.get(), reader.get(), source, small_);
    ggml_backend_synchronize(reader.get());
    EXPECT_THAT(bytes_, testing::Each(0)) << "nobody has waited for it";
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(7));
    EXPECT_EQ(byte_of(small_), 6);
    EXPECT_EQ(host_.count(Command::kCopyTensor), 1);
}

// What ring 0 has queued comes first, though nobody waits for it and nothing else is in the stream.
TEST_F(SharedStreamTest, ResultsAreThoseFromAfterAQueuedCopy) {
    const GgmlBuffer source = ask_behind_a_queued_copy();
    const std::jthread later = resume_later();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(6));
}

TEST_F(SharedStreamTest, ResultsAreThoseFromAfterAQueuedWrite) {
    for (int value = 1; value <= 3; ++value) {
        host_.fake.serves_rings = false;
        compute();
        if (value == 1)
            fill(small_, 1);
        if (value == 2)
            ggml_backend_tensor_memset(small_, 2, 0, bytes_.size());
        if (value == 3)
            ggml_backend_buffer_clear(buffer_.get(), 3);
        ask(small_, bytes_);
        const std::jthread later = resume_later();
        ggml_backend_synchronize(backend_.get());
        EXPECT_THAT(bytes_, testing::Each(value));
    }
}

TEST_F(SharedStreamTest, ResultsOfAFreedBufferAreThoseFromAfterAQueuedCopy) {
    const GgmlBuffer source = ask_behind_a_queued_copy();
    const std::jthread later = resume_later();
    buffer_.reset();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(6));
}

// The inputs of a graph: whoever waits for it waits for them, too, so its results need no request.
TEST_F(SharedStreamTest, ResultsAreFetchedAlsoWhereTheGraphCameAfterQueuedWrites) {
    compute_fills_with(7);
    host_.fake.serves_rings = false;
    compute();
    fill(small_, 1);
    compute();
    ask(small_, bytes_);
    const std::jthread later = resume_later();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(7)) << "of the second";
    EXPECT_EQ(host_.count(Command::kSetTensor), 1);
    EXPECT_EQ(host_.count(Command::kGetTensor), 0);
}

// Its memory stays until then, but its handle is no longer the host's.
TEST_F(SharedStreamTest, ResultsOutliveTheirBuffer) {
    fill(small_, 7);
    ask(small_, bytes_);
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    graph_ = graph_of(ggml_scale(context_.get(), a, 2.0F));
    const GgmlBuffer other = allocate();
    buffer_.reset();
    serve_ring0();
    compute();
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(7));
    EXPECT_THAT(log_.lines(), testing::IsEmpty());
}

TEST_F(SharedStreamTest, ResultsAreZeroWhenTheHostIsLost) {
    fill(small_, 7);
    stop_host();
    compute();
    bytes_.fill(9);
    ask(small_, bytes_);
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(0));
}

class SharedWeightsTest : public SharedStreamTest {
 protected:
    SharedWeightsTest() : SharedStreamTest({.shares_memory = true, .copies_weights = true}) {}

    std::vector<protocol::ChangedBufferRequest> changes() {
        serve_ring0();
        return host_.requests<protocol::ChangedBufferRequest>(Command::kChangedBuffer);
    }

    uint64_t offset_of(const ggml_tensor* tensor) const {
        return static_cast<uint64_t>(static_cast<const std::byte*>(tensor->data) -
                                     static_cast<const std::byte*>(first_->data));
    }
};

TEST_F(SharedWeightsTest, TheHostIsToldWhatChanged) {
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    fill(large_, 1);
    ggml_backend_tensor_memset(large_, 2, 100, 10);
    ggml_backend_buffer_clear(buffer_.get(), 3);
    give(small_, bytes_);
    const auto told = changes();
    ASSERT_EQ(told.size(), 4U);
    for (const auto& change : told)
        EXPECT_EQ(change.buffer, (protocol::Handle{0, 1}));
    const auto range = [&](size_t i) { return std::pair(told[i].offset, told[i].size); };
    EXPECT_EQ(range(0), std::pair(offset_of(large_), uint64_t{kLargeBytes}));
    EXPECT_EQ(range(1), std::pair(offset_of(large_) + 100, uint64_t{10}));
    EXPECT_EQ(range(2),
              std::pair(uint64_t{0}, uint64_t{ggml_backend_buffer_get_size(buffer_.get())}));
    EXPECT_EQ(range(3), std::pair(offset_of(small_), uint64_t{bytes_.size()}));
}

TEST_F(SharedWeightsTest, OnlyWeightsAreCopied) {
    fill(large_, 1);
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_COMPUTE);
    fill(large_, 1);
    EXPECT_EQ(changes().size(), 0U);
}

TEST_F(SharedWeightsTest, NobodyWaitsForNotes) {
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    stop_host();
    fill(large_, 1);
    fill(small_, 2);
    fill(large_, 3);
    EXPECT_EQ(seen_by_host(small_), std::byte{2});
    EXPECT_EQ(seen_by_host(large_), std::byte{3});
    EXPECT_EQ(byte_of(large_), 3);
    give(small_, bytes_);
    ask(large_, bytes_);
    ggml_backend_synchronize(backend_.get());
    EXPECT_THAT(bytes_, testing::Each(3));
    EXPECT_THAT(log_.lines(), testing::IsEmpty()) << "nothing waited";
    resume_host();
    EXPECT_EQ(changes().size(), 4U);
    EXPECT_EQ(host_.count(Command::kSetBufferUsage), 1);
    EXPECT_EQ(host_.count(Command::kSetTensor), 0);
}

TEST_F(SharedStreamTest, NobodyIsToldOfChangesWhereNothingIsCopied) {
    ggml_backend_buffer_set_usage(buffer_.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    fill(large_, 1);
    serve_ring0();
    EXPECT_EQ(host_.count(Command::kChangedBuffer), 0);
}

}  // namespace
}  // namespace virtgpu::frontend
