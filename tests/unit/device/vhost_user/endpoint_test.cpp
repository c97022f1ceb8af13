#include "device/vhost_user/endpoint.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include "tests/unit/device/level1.h"
#include "tests/unit/device/vhost_user/fake_vmm.h"
#include "tests/unit/device/virtio/guest_file.h"

namespace virtgpu::vhost_user {
namespace {

using namespace test;

constexpr uint64_t kWindow = 1 << 28;
constexpr uint64_t kCommand = kGuestBase + 0x20000;
constexpr uint64_t kResponse = kGuestBase + 0x30000;
constexpr uint32_t kResponseSize = 512;

// A VM with a driver, at the other end of a socket.
class EndpointTest : public testing::Test {
 protected:
    EndpointTest() {
        auto ends = stream_pair();
        endpoint_ = *Endpoint::create(std::move(ends[0]), device_, memory_, *channel_, *loop_, log_,
                                      [this] { closed_ = true; });
        vmm_ = std::make_unique<FakeVmm>(std::move(ends[1]), *loop_);
    }

    void negotiate() {
        const auto features = number_at<uint64_t>(vmm_->ask(RequestType::kGetFeatures), 0);
        EXPECT_EQ(features, 0x170000019U);
        const auto protocol = number_at<uint64_t>(vmm_->ask(RequestType::kGetProtocolFeatures), 0);
        EXPECT_EQ(protocol, 0x402629U);
        vmm_->send(RequestType::kSetProtocolFeatures, bytes_of(protocol));
        vmm_->send(RequestType::kSetFeatures, bytes_of(features & ~(uint64_t{1} << 29)));
        auto ends = stream_pair();
        backend_ = std::make_unique<MessageSocket>(std::move(ends[1]));
        EXPECT_EQ(vmm_->acknowledged(RequestType::kSetBackendChannel, {}, {ends[0].number()}), 0U);
        EXPECT_EQ(vmm_->acknowledged(RequestType::kSetMemoryTable, memory(1), {guest_.number()}),
                  0U);
    }
    // A memory table of the guest's memory, and with two regions of the window.
    static std::vector<std::byte> memory(uint32_t regions) {
        const auto table = joined(bytes_of(regions, 0U),
                                  bytes_of(kGuestBase, uint64_t{1} << 20, kVmmBase, uint64_t{0}));
        const auto window =
            bytes_of(uint64_t{0xf00000000}, kWindow, uint64_t{0x100000000000}, uint64_t{0});
        return regions == 1 ? table : joined(table, window);
    }
    // Lets the VMM do what the device asks of it.
    void map_window() {
        auto request = backend_->receive();
        ASSERT_TRUE(request && *request);
        ASSERT_EQ((*request)->files.size(), 1U);
        // QEMU agrees, then maps, and waits for our answer to what it says of that.
        ASSERT_TRUE(backend_->send(9, Message::kReply, bytes_of(uint64_t{0})));
        EXPECT_EQ(vmm_->acknowledged(RequestType::kSetMemoryTable, memory(2),
                                     {guest_.number(), (*request)->files[0].number()}),
                  0U);
    }
    void start_ring(uint32_t base) {
        vmm_->send(RequestType::kSetVringSize, bytes_of(0U, uint32_t{driver_.size()}));
        vmm_->send(RequestType::kSetVringBase, bytes_of(0U, base));
        const auto vmm_address = [](uint64_t address) { return address - kGuestBase + kVmmBase; };
        vmm_->send(RequestType::kSetVringAddress,
                   bytes_of(0U, 0U, vmm_address(driver_.descriptors()), vmm_address(driver_.used()),
                            vmm_address(driver_.available()), uint64_t{0}));
        vmm_->send(RequestType::kSetVringKick, bytes_of(uint64_t{0}), {kick_.number()});
        vmm_->send(RequestType::kSetVringCall, bytes_of(uint64_t{0}), {call_.number()});
        vmm_->send(RequestType::kSetVringEnable, bytes_of(0U, 1U));
    }
    void start() {
        negotiate();
        start_ring(0);
    }
    uint32_t stop() {
        return number_at<uint32_t>(vmm_->ask(RequestType::kGetVringBase, bytes_of(0U, 0U)), 4);
    }
    void offer(const std::vector<std::byte>& command) {
        guest_.write_bytes(kCommand, command);
        driver_.describe(0, kCommand, static_cast<uint32_t>(command.size()), Driver::kNext, 1);
        driver_.describe(1, kResponse, kResponseSize, Driver::kWrite);
        driver_.offer(0);
        kick_.signal();
        settle(*loop_);
    }
    // The response's type.
    uint32_t command(const std::vector<std::byte>& bytes) {
        const uint16_t before = driver_.used_index();
        offer(bytes);
        EXPECT_EQ(driver_.used_index(), static_cast<uint16_t>(before + 1));
        EXPECT_TRUE(call_.take());
        return guest_.read<uint32_t>(kResponse);
    }
    static std::vector<std::byte> header(gpu::CommandType type, uint32_t context = 0) {
        return bytes_of(static_cast<uint32_t>(type), 0U, uint64_t{0}, context, 0U);
    }
    uint32_t create_context(uint32_t context) {
        const auto fields = bytes_of(0U, protocol::kCapsetApir);
        return command(joined(joined(header(gpu::CommandType::kContextCreate, context), fields),
                              std::vector<std::byte>(64)));
    }
    uint32_t create_blob(uint32_t resource) {
        return command(joined(header(gpu::CommandType::kResourceCreateBlob),
                              bytes_of(resource, 2U, 1U, 0U, uint64_t{0}, uint64_t{4096})));
    }

    std::vector<std::byte> map_blob(uint32_t resource, uint64_t offset) {
        return joined(header(gpu::CommandType::kMapBlob), bytes_of(resource, 0U, offset));
    }

    RecordingLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    std::unique_ptr<apir::WorkerLauncher> launcher_ = launcher_of("echo");
    apir::Renderer renderer_{*launcher_, {apir::Waiter::kFence}, *loop_, log_};
    std::unique_ptr<BackendChannel> channel_ = *BackendChannel::create(kWindow, *loop_, log_);
    virtio::GuestMemory memory_;
    gpu::Device device_{renderer_, *channel_, memory_, *device::PageSupply::create(*loop_), log_};
    bool closed_ = false;
    std::unique_ptr<Endpoint> endpoint_;
    std::unique_ptr<FakeVmm> vmm_;
    std::unique_ptr<MessageSocket> backend_;
    GuestFile guest_{1 << 20};
    Driver driver_{guest_, 8, kGuestBase};
    device::EventFile kick_ = *device::EventFile::create();
    device::EventFile call_ = *device::EventFile::create();
};

constexpr uint32_t kOk = static_cast<uint32_t>(gpu::ResponseType::kOkNoData);
constexpr uint32_t kMapInfo = static_cast<uint32_t>(gpu::ResponseType::kOkMapInfo);

TEST_F(EndpointTest, TellsTheVmmWhatItIs) {
    negotiate();
    EXPECT_EQ(number_at<uint64_t>(vmm_->ask(RequestType::kGetQueueCount), 0), 2U);
    const auto shared = vmm_->ask(RequestType::kGetSharedMemoryConfig);
    ASSERT_EQ(shared.size(), 8U + 256 * 8);
    EXPECT_EQ(number_at<uint32_t>(shared, 0), 1U);
    EXPECT_EQ(number_at<uint64_t>(shared, 8), 0U);
    EXPECT_EQ(number_at<uint64_t>(shared, 16), kWindow);
    const auto config = vmm_->ask(RequestType::kGetConfig,
                                  joined(bytes_of(0U, 20U, 0U), std::vector<std::byte>(20)));
    ASSERT_EQ(config.size(), 32U);
    EXPECT_EQ(number_at<uint32_t>(config, 12 + 8), 1U);   // scanouts
    EXPECT_EQ(number_at<uint32_t>(config, 12 + 12), 1U);  // capsets
}

TEST_F(EndpointTest, CarriesCommands) {
    start();
    EXPECT_EQ(command(header(gpu::CommandType::kGetDisplayInfo)),
              static_cast<uint32_t>(gpu::ResponseType::kOkDisplayInfo));
    EXPECT_EQ(create_context(1), kOk);
    EXPECT_NE(log_.text().find("device ready: virtio features 0x150000019"), std::string::npos);
}

TEST_F(EndpointTest, MapsBlobsThroughTheVmm) {
    start();
    ASSERT_EQ(create_blob(5), kOk);
    ASSERT_EQ(create_blob(6), kOk);
    const uint16_t before = driver_.used_index();
    offer(map_blob(5, 0x8000));
    EXPECT_EQ(driver_.used_index(), before);
    map_window();
    EXPECT_EQ(driver_.used_index(), static_cast<uint16_t>(before + 1));
    EXPECT_EQ(guest_.read<uint32_t>(kResponse), kMapInfo);
    call_.take();
    EXPECT_EQ(command(map_blob(6, 0x10000)), kMapInfo);  // the window is there already
}

TEST_F(EndpointTest, APausedVmKeepsItsContextsAndLateAnswers) {
    start();
    ASSERT_EQ(create_context(1), kOk);
    ASSERT_EQ(create_blob(5), kOk);
    const uint16_t before = driver_.used_index();
    offer(map_blob(5, 0));
    const uint32_t base = stop();
    EXPECT_EQ(base, 3U);
    map_window();
    EXPECT_EQ(driver_.used_index(), before);
    start_ring(base);
    EXPECT_EQ(driver_.used_index(), static_cast<uint16_t>(before + 1));
    EXPECT_EQ(create_context(1), static_cast<uint32_t>(gpu::ResponseType::kErrorInvalidContext));
}

// The count of requests wraps, so that alone does not tell a new driver.
TEST_F(EndpointTest, AWindowThatIsGoneTellsOfAReset) {
    start();
    ASSERT_EQ(create_context(1), kOk);
    ASSERT_EQ(create_blob(5), kOk);
    offer(map_blob(5, 0));
    map_window();
    const uint32_t base = stop();
    EXPECT_EQ(vmm_->acknowledged(RequestType::kSetMemoryTable, memory(1), {guest_.number()}), 0U);
    EXPECT_TRUE(device_.has_nothing());
    start_ring(base);
    call_.take();
    EXPECT_EQ(create_context(1), kOk);
    ASSERT_EQ(create_blob(5), kOk);
    offer(map_blob(5, 0));
    map_window();
    EXPECT_EQ(guest_.read<uint32_t>(kResponse), kMapInfo);
}

TEST_F(EndpointTest, ADriverThatStartsAnewFindsAFreshDevice) {
    start();
    ASSERT_EQ(create_context(1), kOk);
    ASSERT_EQ(create_blob(5), kOk);
    stop();
    driver_.restart();
    start_ring(0);
    EXPECT_EQ(create_context(1), kOk);
    EXPECT_EQ(create_blob(5), kOk);
}

TEST_F(EndpointTest, ResetsLeaveNothingBehind) {
    start();
    ASSERT_EQ(create_context(1), kOk);
    settle(*loop_);
    const auto before = open_descriptors();
    for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(create_blob(5), kOk);
        offer(map_blob(5, 0));
        map_window();
        call_.take();
        EXPECT_GT(open_descriptors(), before);
        EXPECT_EQ(vmm_->acknowledged(RequestType::kResetDevice, {}), 0U);
        EXPECT_TRUE(device_.has_nothing());
        driver_.restart();
        start_ring(0);
        ASSERT_EQ(create_context(1), kOk);
        EXPECT_EQ(open_descriptors(), before);
    }
}

TEST_F(EndpointTest, ABrokenQueueStopsUntilTheReset) {
    start();
    driver_.describe(0, kCommand, 4, Driver::kNext, 0);
    driver_.offer(0);
    kick_.signal();
    settle(*loop_);
    EXPECT_NE(log_.text().find("queue 0 is broken"), std::string::npos);
    EXPECT_FALSE(closed_);
    EXPECT_EQ(vmm_->acknowledged(RequestType::kResetDevice, {}), 0U);
    driver_.restart();
    start_ring(0);
    EXPECT_EQ(create_context(1), kOk);
}

// Each would be a megabyte, with tables that cost the guest one.
TEST_F(EndpointTest, RequestsThatWaitKeepLittleOfTheirChains) {
    start();
    ASSERT_EQ(create_context(1), kOk);
    ASSERT_EQ(create_blob(5), kOk);
    constexpr uint16_t kEntries = 30000;
    constexpr uint64_t kTable = kGuestBase + 0x40000;
    const auto map = map_blob(5, 0);
    guest_.write_bytes(kCommand, map);
    driver_.describe(kTable, 0, kCommand, static_cast<uint32_t>(map.size()), Driver::kNext, 1);
    for (uint16_t i = 1; i < kEntries; ++i)
        driver_.describe(kTable, i, kResponse, 1,
                         Driver::kWrite | (i + 1 < kEntries ? Driver::kNext : 0),
                         static_cast<uint16_t>(i + 1));
    driver_.describe(0, kTable, 16 * kEntries, Driver::kIndirect);
    const uint16_t answered = driver_.used_index();
    const auto before = ::mallinfo2().uordblks;
    driver_.offer(0);
    kick_.signal();
    settle(*loop_);
    EXPECT_EQ(driver_.used_index(), answered);  // it waits for the VMM
    EXPECT_LT(::mallinfo2().uordblks, before + 16 * kEntries / 4);
    map_window();
    EXPECT_EQ(driver_.used_index(), static_cast<uint16_t>(answered + 1));
    EXPECT_EQ(driver_.used_length(answered % driver_.size()), 32U);
}

TEST_F(EndpointTest, UnreadableCommandsAreGivenBack) {
    start();
    driver_.describe(0, 0x10, 24, Driver::kNext, 1);
    driver_.describe(1, kResponse, kResponseSize, Driver::kWrite);
    driver_.offer(0);
    kick_.signal();
    settle(*loop_);
    EXPECT_EQ(driver_.used_index(), 1);
    EXPECT_EQ(driver_.used_length(0), 0U);
    EXPECT_EQ(create_context(1), kOk);
}

TEST_F(EndpointTest, TheVmmLeaving) {
    start();
    ASSERT_EQ(create_blob(5), kOk);
    vmm_.reset();
    run_until(*loop_, [&] { return closed_; });
    EXPECT_TRUE(device_.has_nothing());
}

TEST_F(EndpointTest, MalformedMessagesCloseTheConnection) {
    vmm_->send(RequestType::kSetVringSize, bytes_of(7U, 256U));
    EXPECT_TRUE(closed_);
    EXPECT_NE(log_.text().find("vring 7 of 2"), std::string::npos);
}

TEST_F(EndpointTest, FeaturesThatWereNotOfferedCloseTheConnection) {
    vmm_->send(RequestType::kSetFeatures, bytes_of(uint64_t{2}));
    EXPECT_TRUE(closed_);
}

// As vhost-user-gpu-pci does before QEMU 11.2.
TEST_F(EndpointTest, TheVmmMayLeaveFeaturesOutAndAddResettingOfRings) {
    vmm_->send(RequestType::kSetFeatures, bytes_of(uint64_t{0x10170000001}));
    EXPECT_FALSE(vmm_->is_closed());
    auto [ours, theirs] = stream_pair();
    vmm_->send(RequestType::kGpuSetSocket, {}, {theirs.number()});
    EXPECT_FALSE(vmm_->is_closed());
}

TEST_F(EndpointTest, ADisplaySocketThatIsNotThereClosesTheConnection) {
    vmm_->send(RequestType::kGpuSetSocket, {});
    EXPECT_TRUE(closed_);
}

TEST_F(EndpointTest, MemoryThatCannotBeMappedClosesTheConnection) {
    const auto pipe = stream_pair();
    vmm_->send(RequestType::kSetMemoryTable, memory(1), {pipe[0].number()});
    EXPECT_TRUE(closed_);
}

TEST_F(EndpointTest, RequestsThatWereNotOfferedCloseTheConnection) {
    vmm_->send(static_cast<RequestType>(6), bytes_of(uint64_t{0}));
    EXPECT_TRUE(closed_);
}

}  // namespace
}  // namespace virtgpu::vhost_user
