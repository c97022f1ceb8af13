// A context of a host whose ring 1 is a stream of the CPU, and graphs computed on it.
#pragma once

#include "tests/unit/backend/host_fixture.h"
#include "tests/unit/backend/native_graph.h"

namespace virtgpu::backend {

class ComputeTest : public HostTest {
 protected:
    void SetUp() override {
        HostTest::SetUp();
        greet();
        ASSERT_TRUE(stream.open_stream({0}));
    }

    template <typename T>
    wire::Result<protocol::RegionSpan> put(const T& value) {
        wire::Writer writer;
        TRY(encode(writer, value));
        TRY(data().copy_in(0, writer.bytes()));
        return protocol::RegionSpan{kDataRegion, 0, writer.bytes().size()};
    }

    wire::Result<void> define(uint32_t number, const protocol::Graph& graph) {
        TRY(stream.define_graph({number, TRY(put(graph))}));
        return {};
    }

    wire::Result<void> compute(const protocol::Graph& graph) {
        TRY(define(1, graph));
        TRY(stream.run_graph({1}));
        TRY(stream.drop_graph({1}));
        return {};
    }

    // A tensor of bytes that covers the whole buffer.
    static protocol::TensorData all_of(protocol::Handle buffer, uint64_t size) {
        protocol::TensorData tensor;
        tensor.type = GGML_TYPE_I8;
        tensor.ne = {static_cast<int64_t>(size), 1, 1, 1};
        tensor.nb = {1, size, size, size};
        tensor.buffer = buffer;
        return tensor;
    }

    void expect_same_as_native(ggml_tensor* (*build)(ggml_context*)) {
        NativeGraph native(build);
        const protocol::Handle buffer = alloc(native.size());
        ASSERT_TRUE(data().copy_in(0, {native.bytes(), native.size()}));
        const protocol::RegionSpan everything{kDataRegion, 0, native.size()};
        ASSERT_TRUE(control.set_tensor({all_of(buffer, native.size()), 0, everything}));
        const auto computed = compute(native.describe(buffer));
        ASSERT_TRUE(computed) << computed.error().message();

        ASSERT_EQ(native.compute(), GGML_STATUS_SUCCESS);
        ASSERT_TRUE(control.get_tensor({all_of(buffer, native.size()), 0, everything}));
        std::vector<std::byte> remote(native.size());
        ASSERT_TRUE(data().copy_out(0, remote));
        EXPECT_EQ(std::memcmp(remote.data(), native.bytes(), remote.size()), 0);
        const auto* const values =
            reinterpret_cast<const float*>(remote.data() + native.offset_of(native.result));
        EXPECT_NE(values[0], 0.0F);
    }

    std::vector<std::byte> read(protocol::Handle buffer, uint64_t size) {
        std::vector<std::byte> bytes(size);
        EXPECT_TRUE(control.get_tensor({all_of(buffer, size), 0, {kDataRegion, 0, size}}));
        EXPECT_TRUE(data().copy_out(0, bytes));
        return bytes;
    }

    void write(protocol::Handle buffer, std::span<const std::byte> bytes) {
        ASSERT_TRUE(data().copy_in(0, bytes));
        ASSERT_TRUE(
            control.set_tensor({all_of(buffer, bytes.size()), 0, {kDataRegion, 0, bytes.size()}}));
    }
};

}  // namespace virtgpu::backend
