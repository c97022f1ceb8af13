#include "host/listener.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "wire/sys/packet_socket.h"

namespace virtgpu::host {
namespace {

class ListenerTest : public testing::Test {
 protected:
    ListenerTest() {
        std::string pattern = "/tmp/virtgpu-listener-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        path_ = folder_ / "socket";
    }
    ~ListenerTest() override { std::filesystem::remove_all(folder_); }
    ListenerTest(const ListenerTest&) = delete;
    ListenerTest& operator=(const ListenerTest&) = delete;

    std::filesystem::path folder_;
    std::filesystem::path path_;
};

TEST_F(ListenerTest, AcceptsAndCleansUp) {
    {
        const auto listener = Listener::create(path_, SocketType::kPackets);
        ASSERT_TRUE(listener);
        const auto client = wire::PacketSocket::connect(path_);
        ASSERT_TRUE(client);
        EXPECT_TRUE(listener->accept());
        EXPECT_TRUE(std::filesystem::exists(path_));
    }
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, ReplacesALeftOverSocket) {
    {
        auto left_over = Listener::create(path_, SocketType::kStream);
        ASSERT_TRUE(left_over);
        left_over->forget();
    }
    ASSERT_TRUE(std::filesystem::exists(path_));
    EXPECT_TRUE(Listener::create(path_, SocketType::kPackets));
}

TEST_F(ListenerTest, RefusesASocketInUse) {
    const auto first = Listener::create(path_, SocketType::kStream);
    ASSERT_TRUE(first);
    for (const auto type : {SocketType::kStream, SocketType::kPackets}) {
        const auto second = Listener::create(path_, type);
        ASSERT_FALSE(second);
        EXPECT_NE(second.error().message().find("in use"), std::string::npos);
    }
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, ASocketWhoseQueueIsFullIsInUse) {
    const auto first = Listener::create(path_, SocketType::kPackets);
    ASSERT_TRUE(first);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.native().copy(address.sun_path, sizeof address.sun_path - 1);
    std::vector<wire::FileDescriptor> waiting;
    do {
        waiting.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    } while (waiting.size() < 1000 &&
             ::connect(waiting.back().number(), reinterpret_cast<const sockaddr*>(&address),
                       sizeof address) == 0);
    ASSERT_LT(waiting.size(), 1000U);
    const auto second = Listener::create(path_, SocketType::kPackets);  // does not wait
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find("in use"), std::string::npos);
}

TEST_F(ListenerTest, LeavesOtherFilesAlone) {
    std::ofstream(path_) << "precious";
    EXPECT_FALSE(Listener::create(path_, SocketType::kStream));
    EXPECT_EQ(std::filesystem::file_size(path_), 8U);
}

TEST_F(ListenerTest, TheFileHasThePermissionsThatWereAskedFor) {
    const auto listener = Listener::create(path_, SocketType::kPackets, {0620, ::getegid()});
    ASSERT_TRUE(listener) << listener.error().message();
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0620U);
    EXPECT_EQ(status.st_gid, ::getegid());
}

TEST_F(ListenerTest, AdoptsASocketAndLeavesItsFile) {
    auto made = Listener::create(path_, SocketType::kPackets);
    ASSERT_TRUE(made);
    {
        const auto adopted = Listener::adopt(::dup(made->number()));
        ASSERT_TRUE(adopted) << adopted.error().message();
        EXPECT_EQ(adopted->type(), SocketType::kPackets);
        EXPECT_EQ(adopted->name(), path_);
        ASSERT_TRUE(wire::PacketSocket::connect(path_));
        EXPECT_TRUE(adopted->accept());
    }
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(ListenerTest, AdoptsOnlySocketsThatListen) {
    EXPECT_FALSE(Listener::adopt(::dup(STDERR_FILENO)));
    EXPECT_FALSE(Listener::adopt(987));
    const auto pair = wire::PacketSocket::make_pair();
    ASSERT_TRUE(pair);
    const auto connected = Listener::adopt(::dup(pair->first.number()));
    ASSERT_FALSE(connected);
    EXPECT_NE(connected.error().message().find("no socket that listens"), std::string::npos);
}

TEST_F(ListenerTest, RefusesPathsThatCannotBe) {
    EXPECT_FALSE(Listener::create(std::string(200, 'x'), SocketType::kStream));
    EXPECT_FALSE(Listener::create("", SocketType::kStream));
    EXPECT_FALSE(Listener::create(folder_ / "missing" / "socket", SocketType::kStream));
}

}  // namespace
}  // namespace virtgpu::host
