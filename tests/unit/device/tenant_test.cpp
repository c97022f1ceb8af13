#include "device/tenant.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/unit/device/level1.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::device {
namespace {

using namespace test;
using protocol::ContainerMessage;

// A device process that serves a container.
class TenantTest : public testing::Test {
 protected:
    TenantTest() {
        auto [ours, theirs] = *wire::PacketSocket::make_pair();
        process_ = ::fork();
        if (process_ == 0) {
            RecordingLog log;
            TenantOptions options;
            options.worker = fake_worker("linger");
            options.container_window_size = 1 << 20;
            wire::FileDescriptor socket(::dup(theirs.number()));
            const auto launcher = launcher_of(options.worker);
            const auto served =
                serve_tenant(TenantKind::kContainer, std::move(socket), *launcher, options, log);
            ::_exit(served ? 0 : 1);
        }
        client_ = std::make_unique<wire::PacketSocket>(std::move(ours));
    }
    ~TenantTest() override {
        if (process_ > 0)
            ::kill(process_, SIGKILL);
    }
    TenantTest(const TenantTest&) = delete;
    TenantTest& operator=(const TenantTest&) = delete;

    void send(ContainerMessage id, const std::vector<std::byte>& fields) {
        const auto header = bytes_of(static_cast<uint32_t>(id), 1U);
        ASSERT_TRUE(client_->send(joined(header, fields)));
    }
    void start_worker() {
        send(ContainerMessage::kCreateRegion, bytes_of(uint64_t{4096}));
        const auto reply = client_->receive(std::chrono::seconds(10));
        ASSERT_TRUE(reply && *reply && (*reply)->files.size() == 1);
        const auto page = *wire::map_region((*reply)->files[0].number(), 4096);
        const auto command = loadlibrary(1);
        send(ContainerMessage::kSubmit,
             joined(bytes_of(static_cast<uint32_t>(command.size() / 4)), command));
        std::vector<std::byte> word(4);
        for (int i = 0; i < 1000 && number_at<uint32_t>(word, 0) == 0; ++i) {
            ::usleep(10'000);
            ASSERT_TRUE(page->copy_out(0, word));
        }
        ASSERT_EQ(number_at<uint32_t>(word, 0), 1U);
    }

    pid_t process_ = -1;
    std::unique_ptr<wire::PacketSocket> client_;
};

TEST_F(TenantTest, WaitsForItsWorkerWithoutSpinning) {
    start_worker();
    const auto told = std::chrono::steady_clock::now();
    ASSERT_EQ(::kill(process_, SIGTERM), 0);
    int status = 0;
    rusage usage{};
    ASSERT_GT(::wait4(std::exchange(process_, -1), &status, 0, &usage), 0);
    EXPECT_EQ(status, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - told, std::chrono::milliseconds(900));
    // All of its life; a drain that spins takes as long as it lasts.
    EXPECT_LT(usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec +
                  usage.ru_stime.tv_sec * 1'000'000 + usage.ru_stime.tv_usec,
              300'000);
}

}  // namespace
}  // namespace virtgpu::device
