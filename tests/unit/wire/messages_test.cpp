#include "wire/generated/messages.h"

#include <gtest/gtest.h>

namespace virtgpu::wire {
namespace {

TEST(Messages, ALevel1CommandBecomesItsAlternative) {
    Writer writer;
    ASSERT_TRUE(encode(writer, protocol::ApirOpenRingRequest{3, 9, 4096, 8192}));
    const auto command = decode_apir_command(2, 4096, writer.bytes());
    ASSERT_TRUE(command);
    const auto* open = std::get_if<protocol::ApirOpenRingRequest>(&*command);
    ASSERT_NE(open, nullptr);
    EXPECT_EQ(open->reply_bytes, 8192U);
}

TEST(Messages, UnknownLevel1CommandsAreRefusedNotMisread) {
    EXPECT_EQ(decode_apir_command(2, 22, {}).error().fault(), Fault::kRefused);
    EXPECT_EQ(decode_apir_command(3, 0, {}).error().fault(), Fault::kRefused);
    EXPECT_EQ(decode_apir_command(-1, 0, {}).error().fault(), Fault::kRefused);
}

TEST(Messages, ACommandWithoutArgumentsIsAnAlternativeToo) {
    const auto command = decode_apir_command(2, 4099, {});
    ASSERT_TRUE(command);
    EXPECT_TRUE(std::holds_alternative<ApirPingRequest>(*command));
}

TEST(Messages, UnknownSocketMessagesAreTheSendersFault) {
    EXPECT_EQ(decode_container_request(77, {}).error().fault(), Fault::kPeer);
    EXPECT_EQ(decode_worker_request(77, {}).error().fault(), Fault::kPeer);
}

}  // namespace
}  // namespace virtgpu::wire
