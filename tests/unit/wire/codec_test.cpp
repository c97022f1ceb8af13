#include "wire/generated/codec.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace virtgpu::wire {
namespace {

template <typename T>
std::vector<std::byte> encoded(const T& value) {
    Writer writer;
    EXPECT_TRUE(encode(writer, value));
    return {writer.bytes().begin(), writer.bytes().end()};
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
    std::vector<std::byte> bytes;
    for (const int value : values)
        bytes.push_back(static_cast<std::byte>(value));
    return bytes;
}

protocol::DeviceInfo sample_device() {
    protocol::DeviceInfo device;
    device.name = "CPU";
    device.description = "a processor";
    device.type = protocol::DeviceType::kIgpu;
    device.memory_total = 1ULL << 35;
    device.buffer_type = {"CPU", 32, UINT64_MAX};
    return device;
}

TEST(Codec, GoldenBytesOfAStructureOfOneSize) {
    EXPECT_EQ(encoded(protocol::RegionSpan{0x11, 0x2233, 0x44}),
              bytes_of({0x11, 0, 0, 0, 0x33, 0x22, 0, 0, 0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 0}));
}

TEST(Codec, GoldenBytesOfAStructureThatVaries) {
    EXPECT_EQ(encoded(protocol::Name{7, "ADD"}),
              bytes_of({7, 0, 0, 0, 3, 0, 0, 0, 'A', 'D', 'D', 0}));
}

TEST(Codec, GoldenSizeOfAGraphTensor) {
    EXPECT_EQ(encoded(protocol::GraphTensor{}).size(), 276U);
}

TEST(Codec, NestedStructuresSurviveTheRoundTrip) {
    protocol::HelloReply hello;
    hello.level2_version = 1;
    hello.host = "0.1";
    hello.devices = {sample_device(), sample_device()};
    EXPECT_EQ(decode_whole<protocol::HelloReply>(encoded(hello)).value(), hello);
}

TEST(Codec, GraphsSurviveTheRoundTrip) {
    protocol::Graph graph;
    graph.tensors.resize(3);
    graph.tensors[2].tensor.ne = {4, 1, -1, INT64_MAX};
    graph.tensors[2].source[9] = 2;
    graph.tensors[2].use_count = -5;
    graph.nodes = {2};
    EXPECT_EQ(decode_whole<protocol::Graph>(encoded(graph)).value(), graph);
}

TEST(Codec, EveryTruncationIsRefused) {
    protocol::HelloReply hello;
    hello.devices = {sample_device()};
    const auto bytes = encoded(hello);
    for (size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(decode_whole<protocol::HelloReply>(std::span(bytes).first(size))) << size;
}

TEST(Codec, TrailingBytesAreRefused) {
    auto bytes = encoded(protocol::FreeBufferRequest{{1, 2}});
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(decode_whole<protocol::FreeBufferRequest>(bytes));
}

TEST(Codec, UnlistedEnumValuesAreRefused) {
    Writer writer;
    writer.number<uint32_t>(3);
    EXPECT_FALSE(decode_whole<protocol::ApirOpenRingReply>(writer.bytes()));
    writer.clear();
    writer.number<uint32_t>(2);
    EXPECT_EQ(decode_whole<protocol::ApirOpenRingReply>(writer.bytes()).value().status,
              protocol::OpenStatus::kNoWorker);
}

TEST(Codec, ArraysOverTheirLimitAreRefusedOnBothSides) {
    protocol::SupportsOpRequest request;
    request.tensors.resize(protocol::kMaxBundleTensors + 1);
    Writer writer;
    EXPECT_EQ(encode(writer, request).error().fault(), Fault::kRefused);

    request.tensors.pop_back();
    auto bytes = encoded(request);
    bytes[4] = static_cast<std::byte>(protocol::kMaxBundleTensors + 1);
    bytes.resize(bytes.size() + 276);
    EXPECT_EQ(decode_whole<protocol::SupportsOpRequest>(bytes).error().fault(), Fault::kPeer);
}

// Upstream's encodings.

TEST(Codec, GoldenBytesOfUpstreamsStrings) {
    EXPECT_EQ(encoded(protocol::ForwardDeviceGetNameReply{"CPU"}),
              bytes_of({4, 0, 0, 0, 0, 0, 0, 0, 'C', 'P', 'U', 0}));
    EXPECT_EQ(encoded(protocol::ForwardDeviceGetNameReply{"CPU0"}),
              bytes_of({5, 0, 0, 0, 0, 0, 0, 0, 'C', 'P', 'U', '0', 0, 0, 0, 0}));
}

TEST(Codec, UpstreamsStringsNeedTheirZero) {
    using Reply = protocol::ForwardDeviceGetNameReply;
    EXPECT_FALSE(decode_whole<Reply>(bytes_of({0, 0, 0, 0, 0, 0, 0, 0})));
    EXPECT_FALSE(decode_whole<Reply>(bytes_of({4, 0, 0, 0, 0, 0, 0, 0, 'C', 'P', 'U', '!'})));
    EXPECT_FALSE(decode_whole<Reply>(bytes_of({5, 0, 0, 0, 0, 0, 0, 0, 'C', 'P', 'U', '0'})));
    EXPECT_FALSE(decode_whole<Reply>(
        bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 'C', 'P', 'U', 0})));
    // What pads it may be anything.
    EXPECT_EQ(decode_whole<Reply>(bytes_of({2, 0, 0, 0, 0, 0, 0, 0, 'C', 0, 7, 7}))->name, "C");
}

TEST(Codec, OfFourBytesTheFirstCounts) {
    const auto props = decode_whole<protocol::ForwardDeviceGetPropsReply>(
        bytes_of({0, 1, 1, 1, 0, 9, 9, 9, 1, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0}));
    ASSERT_TRUE(props);
    EXPECT_FALSE(props->async || props->host_buffer || props->events);
    EXPECT_TRUE(props->buffer_from_host_ptr && props->mmap_support);
    const auto clear = decode_whole<protocol::ForwardBufferClearRequest>(
        bytes_of({1, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd, 0xef, 0x01}));
    EXPECT_EQ(clear->value, 0xab);
}

TEST(Codec, UpstreamsTensorsHaveTheirSize) {
    EXPECT_EQ(protocol::ForwardTensor::kEncodedBytes, 304U);
    EXPECT_EQ(protocol::GgmlTensor::kEncodedBytes, 336U);
}

TEST(Codec, WhatFollowsAnUpstreamNodeDependsOnItsPointers) {
    protocol::ForwardNode node;
    EXPECT_EQ(encoded(node).size(), 336U);
    node.tensor.buffer = 1;
    node.tensor.source = {1, 2, 0, 4};
    Writer writer;
    EXPECT_FALSE(encode(writer, node)) << "the buffer's word and two sources are missing";
    node.buffer_word = 0xdead;
    node.sources.resize(2);
    const auto bytes = encoded(node);
    EXPECT_EQ(bytes.size(), 336U + 8 + 2 * 336);
    EXPECT_EQ(decode_whole<protocol::ForwardNode>(bytes).value(), node);
    EXPECT_FALSE(decode_whole<protocol::ForwardNode>(std::span(bytes).first(bytes.size() - 1)));
}

}  // namespace
}  // namespace virtgpu::wire
