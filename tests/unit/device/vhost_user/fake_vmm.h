// The VMM's end of a vhost-user connection.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>

#include "device/vhost_user/message_socket.h"
#include "device/vhost_user/protocol.h"
#include "tests/unit/device/support.h"

namespace virtgpu::test {

inline std::array<wire::FileDescriptor, 2> stream_pair() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    return {wire::FileDescriptor(ends[0]), wire::FileDescriptor(ends[1])};
}

class FakeVmm {
 public:
    FakeVmm(wire::FileDescriptor socket, device::EventLoop& loop)
        : socket_(std::move(socket)), loop_(loop) {}

    int number() const { return socket_.number(); }

    void send(vhost_user::RequestType type, const std::vector<std::byte>& payload,
              const std::vector<int>& files = {}, uint32_t flags = 0) {
        EXPECT_TRUE(socket_.send(static_cast<uint32_t>(type), flags, payload, files));
        settle(loop_);
    }
    // What the device sends next.
    vhost_user::Message receive() {
        vhost_user::Message message;
        run_until(loop_, [&] {
            auto received = socket_.receive();
            if (!received || !*received)
                return false;
            message = std::move(**received);
            return true;
        });
        return message;
    }
    std::vector<std::byte> ask(vhost_user::RequestType type,
                               const std::vector<std::byte>& payload = {}) {
        send(type, payload);
        auto message = receive();
        EXPECT_EQ(message.request, static_cast<uint32_t>(type));
        EXPECT_EQ(message.flags, 5U);
        return message.payload;
    }
    // Sends with the wish for an answer; the answer, 0 for success.
    uint64_t acknowledged(vhost_user::RequestType type, const std::vector<std::byte>& payload,
                          const std::vector<int>& files = {}) {
        send(type, payload, files, vhost_user::Message::kNeedReply);
        return number_at<uint64_t>(receive().payload, 0);
    }
    bool is_closed() {
        settle(loop_);
        const auto received = socket_.receive();
        return !received && received.error().fault() == wire::Fault::kLost;
    }

 private:
    vhost_user::MessageSocket socket_;
    device::EventLoop& loop_;
};

}  // namespace virtgpu::test
