#include "wire/reader.h"

#include <gtest/gtest.h>

#include <array>

#include "wire/writer.h"

namespace virtgpu::wire {
namespace {

TEST(Reader, ReturnsWhatWriterWrote) {
    Writer writer;
    writer.number<uint32_t>(7);
    writer.boolean(true);
    ASSERT_TRUE(writer.string("hello", 16));
    writer.number<uint64_t>(1ULL << 40);

    Reader reader(writer.bytes());
    EXPECT_EQ(reader.number<uint32_t>().value(), 7U);
    EXPECT_TRUE(reader.boolean().value());
    EXPECT_EQ(reader.string(16).value(), "hello");
    EXPECT_EQ(reader.number<uint64_t>().value(), 1ULL << 40);
    EXPECT_TRUE(reader.expect_end());
}

TEST(Reader, NeverReadsPastTheEnd) {
    const std::array<std::byte, 7> bytes{};
    Reader reader(bytes);
    EXPECT_TRUE(reader.number<uint32_t>());
    EXPECT_EQ(reader.number<uint32_t>().error().fault(), Fault::kPeer);
    EXPECT_TRUE(reader.take(3)) << "a failed read takes nothing";
}

TEST(Reader, RefusesACountOverItsLimit) {
    Writer writer;
    writer.number<uint32_t>(17);
    writer.extend(100);
    EXPECT_FALSE(Reader(writer.bytes()).count(16, 1));
    EXPECT_TRUE(Reader(writer.bytes()).count(17, 1));
}

TEST(Reader, RefusesACountThatTheBytesCannotHoldBeforeAllocating) {
    Writer writer;
    writer.number<uint32_t>(UINT32_MAX);
    writer.extend(8);
    EXPECT_FALSE(Reader(writer.bytes()).count(UINT32_MAX, 8));
    EXPECT_FALSE(Reader(writer.bytes()).string(UINT32_MAX));
}

TEST(Reader, RefusesBooleansOtherThanZeroAndOne) {
    Writer writer;
    writer.number<uint32_t>(2);
    EXPECT_FALSE(Reader(writer.bytes()).boolean());
}

TEST(Reader, RefusesLeftOverBytes) {
    const std::array<std::byte, 1> bytes{};
    EXPECT_FALSE(Reader(bytes).expect_end());
}

TEST(Writer, RefusesStringsOverTheLimit) {
    Writer writer;
    EXPECT_EQ(writer.string("12345", 4).error().fault(), Fault::kRefused);
    EXPECT_TRUE(writer.bytes().empty());
}

}  // namespace
}  // namespace virtgpu::wire
