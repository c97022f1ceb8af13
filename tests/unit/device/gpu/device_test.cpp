#include "device/gpu/device.h"

#include <gtest/gtest.h>

#include "tests/unit/device/gpu/fake_window.h"
#include "tests/unit/device/level1.h"
#include "tests/unit/device/virtio/guest_file.h"

namespace virtgpu::gpu {
namespace {

using namespace test;

constexpr uint32_t kFence = kFlagFence;
constexpr uint32_t kFenceOnRing = kFlagFence | kFlagRingIndex;

std::vector<std::byte> header(CommandType type, uint32_t context = 0, uint32_t flags = 0,
                              uint64_t fence = 0, uint8_t ring = 0) {
    return bytes_of(static_cast<uint32_t>(type), flags, fence, context, uint32_t{ring});
}

template <typename... Fields>
std::vector<std::byte> with(const std::vector<std::byte>& command, Fields... fields) {
    return joined(command, bytes_of(fields...));
}

class DeviceTest : public testing::Test {
 protected:
    void send(const std::vector<std::byte>& command) {
        device_.execute(command, [this](std::vector<std::byte> response) {
            responses_.push_back(std::move(response));
        });
    }
    ResponseType type(size_t index) {
        if (index >= responses_.size()) {
            ADD_FAILURE() << "there is no response " << index;
            return {};
        }
        return static_cast<ResponseType>(number_at<uint32_t>(responses_[index], 0));
    }
    ResponseType answer(const std::vector<std::byte>& command) {
        send(command);
        return type(responses_.size() - 1);
    }
    uint64_t fence(size_t index) { return number_at<uint64_t>(responses_.at(index), 8); }

    ResponseType create_context(uint32_t context, uint32_t capset = protocol::kCapsetApir) {
        return answer(
            joined(with(header(CommandType::kContextCreate, context), uint32_t{4}, capset),
                   std::vector(64, std::byte{'a'})));
    }
    ResponseType create_blob(uint32_t resource, BlobMemory memory, uint64_t size,
                             uint32_t entries = 0) {
        return answer(with(header(CommandType::kResourceCreateBlob, 1), resource,
                           static_cast<uint32_t>(memory), 1U, entries, uint64_t{0}, size));
    }
    std::vector<std::byte> map(uint32_t resource, uint64_t offset, uint32_t flags = 0) {
        return with(header(CommandType::kMapBlob, 0, flags, 5), resource, 0U, offset);
    }
    std::vector<std::byte> about(CommandType command, uint32_t resource, uint32_t context = 0) {
        return with(header(command, context), resource, 0U);
    }
    std::vector<std::byte> submit(const std::vector<std::byte>& level1, uint32_t flags = 0,
                                  uint64_t number = 0, uint8_t ring = 0) {
        return joined(with(header(CommandType::kSubmit3d, 1, flags, number, ring),
                           static_cast<uint32_t>(level1.size()), 0U),
                      level1);
    }
    // Context 1 with an open ring 0 in region 11 and a reply page in region 10.
    void open_ring_of_context() {
        ASSERT_EQ(create_context(1), ResponseType::kOkNoData);
        for (const uint32_t region : {10U, 11U}) {
            ASSERT_EQ(create_blob(region, BlobMemory::kHost3d, 16384), ResponseType::kOkNoData);
            send(map(region, region * 16384));
            if (window_.waiting)
                window_.finish({});
            ASSERT_EQ(answer(about(CommandType::kContextAttachResource, region, 1)),
                      ResponseType::kOkNoData);
        }
        for (const auto& command : {loadlibrary(10), open_ring(10, 0, 11)}) {
            const size_t before = responses_.size();
            send(submit(command, kFenceOnRing, 1, 63));
            run_until(*loop_, [&] { return responses_.size() > before; });
        }
        responses_.clear();
    }

    RecordingLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    std::unique_ptr<apir::WorkerLauncher> launcher_ = launcher_of("silent");
    apir::Renderer renderer_{*launcher_, {apir::Waiter::kFence}, *loop_, log_};
    FakeWindow window_;
    virtio::GuestMemory memory_;
    Device device_{renderer_, window_, memory_, *device::PageSupply::create(*loop_), log_};
    std::vector<std::vector<std::byte>> responses_;
};

TEST_F(DeviceTest, HasNoDisplays) {
    EXPECT_EQ(answer(header(CommandType::kGetDisplayInfo)), ResponseType::kOkDisplayInfo);
    EXPECT_EQ(responses_[0].size(), 24U + 16 * 24);
    EXPECT_EQ(responses_[0].size(), kMaxResponseBytes);
}

TEST_F(DeviceTest, OffersOneCapset) {
    EXPECT_EQ(answer(with(header(CommandType::kGetCapsetInfo), 0U, 0U)),
              ResponseType::kOkCapsetInfo);
    EXPECT_EQ(number_at<uint32_t>(responses_[0], 24), protocol::kCapsetApir);
    EXPECT_EQ(number_at<uint32_t>(responses_[0], 32), 24U);
    EXPECT_EQ(answer(with(header(CommandType::kGetCapsetInfo), 1U, 0U)),
              ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(answer(with(header(CommandType::kGetCapset), protocol::kCapsetApir, 1U)),
              ResponseType::kOkCapset);
    ASSERT_EQ(responses_[2].size(), 24U + 24);
    EXPECT_EQ(number_at<uint32_t>(responses_[2], 28), 1U);
    EXPECT_EQ(number_at<uint32_t>(responses_[2], 32), protocol::kCapsetMagic);
    EXPECT_EQ(answer(with(header(CommandType::kGetCapset), 4U, 1U)),
              ResponseType::kErrorInvalidParameter);
}

class VenusDeviceTest : public DeviceTest {
 protected:
    Device venus_{renderer_, window_,
                  memory_,   *device::PageSupply::create(*loop_),
                  log_,      CapsetOptions::kApirAndVenus};

    ResponseType answer_of_venus(const std::vector<std::byte>& command) {
        venus_.execute(command, [this](std::vector<std::byte> response) {
            responses_.push_back(std::move(response));
        });
        return type(responses_.size() - 1);
    }
    std::vector<std::byte> context(uint32_t number, uint32_t capset) {
        return joined(with(header(CommandType::kContextCreate, number), uint32_t{4}, capset),
                      std::vector(64, std::byte{'a'}));
    }
};

TEST_F(VenusDeviceTest, OffersBothCapsets) {
    EXPECT_EQ(venus_.capsets(), 2U);
    EXPECT_EQ(answer_of_venus(with(header(CommandType::kGetCapsetInfo), 1U, 0U)),
              ResponseType::kOkCapsetInfo);
    EXPECT_EQ(number_at<uint32_t>(responses_[0], 24), protocol::kCapsetVenus);
    EXPECT_EQ(answer_of_venus(with(header(CommandType::kGetCapset), protocol::kCapsetVenus, 0U)),
              ResponseType::kOkCapset);
    EXPECT_EQ(number_at<uint32_t>(responses_[1], 32), protocol::kCapsetMagic);
}

TEST_F(VenusDeviceTest, CountsCommandTypesFromWhereVenusEnds) {
    ASSERT_EQ(answer_of_venus(context(1, protocol::kCapsetVenus)), ResponseType::kOkNoData);
    ASSERT_EQ(answer_of_venus(context(2, protocol::kCapsetApir)), ResponseType::kOkNoData);
    device::SealedMemoryAllocator allocator(1 << 20, *device::PageSupply::create(*loop_));
    const device::SharedMemory replies = *allocator.claim(4096);
    ReplyReader reader(*replies);
    for (const uint32_t id : {1U, 2U})
        renderer_.find(id)->attach(10, replies);
    renderer_.find(1)->submit(bytes_of(int32_t{331}, 0U, 10U, 0U, 2U), {});
    EXPECT_EQ(reader.take(), protocol::kApirHandshakeCode);
    renderer_.find(2)->submit(handshake(10), {});
    EXPECT_EQ(reader.take(), protocol::kApirHandshakeCode);
    renderer_.find(1)->submit(handshake(10), {});
    EXPECT_EQ(renderer_.find(1)->state(), protocol::ContextState::kClosed);
}

TEST_F(DeviceTest, RefusesWhatItDoesNotKnow) {
    for (const uint32_t command : {0x101U, 0x103U, 0x10bU, 0x205U, 0xffffU})
        EXPECT_EQ(answer(header(static_cast<CommandType>(command))),
                  ResponseType::kErrorUnspecified);
}

TEST_F(DeviceTest, AnswersCommandsThatAreTooShort) {
    EXPECT_EQ(answer(bytes_of(uint32_t{0x100})), ResponseType::kErrorUnspecified);
    EXPECT_EQ(answer({}), ResponseType::kErrorUnspecified);
    for (const auto command :
         {CommandType::kGetCapset, CommandType::kContextCreate, CommandType::kResourceCreateBlob,
          CommandType::kMapBlob, CommandType::kSubmit3d, CommandType::kResourceUnref,
          CommandType::kResourceCreate3d, CommandType::kAttachBacking, CommandType::kDetachBacking})
        EXPECT_EQ(answer(header(command, 1)), ResponseType::kErrorInvalidParameter);
    // More page runs, and more bytes to submit, than the command has.
    EXPECT_EQ(create_blob(1, BlobMemory::kGuest, 4096, 1), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(create_blob(1, BlobMemory::kGuest, 4096, ~0U), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(answer(with(header(CommandType::kSubmit3d, 1), 100U, 0U)),
              ResponseType::kErrorInvalidParameter);
}

TEST_F(DeviceTest, ContextsAreCreatedOnceAndWithOurCapset) {
    EXPECT_EQ(create_context(1), ResponseType::kOkNoData);
    EXPECT_EQ(create_context(1), ResponseType::kErrorInvalidContext);
    EXPECT_EQ(create_context(0), ResponseType::kErrorInvalidContext);
    EXPECT_EQ(create_context(2, 4), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(answer(header(CommandType::kContextDestroy, 1)), ResponseType::kOkNoData);
    EXPECT_EQ(answer(header(CommandType::kContextDestroy, 1)), ResponseType::kErrorInvalidContext);
    EXPECT_EQ(answer(submit(ping(1))), ResponseType::kErrorInvalidContext);
}

TEST_F(DeviceTest, AttachesOnlyWhatIsThere) {
    ASSERT_EQ(create_blob(3, BlobMemory::kHost3d, 4096), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kContextAttachResource, 3, 1)),
              ResponseType::kErrorInvalidContext);
    ASSERT_EQ(create_context(1), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kContextAttachResource, 4, 1)),
              ResponseType::kErrorInvalidResource);
    EXPECT_EQ(answer(about(CommandType::kContextAttachResource, 3, 1)), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kContextDetachResource, 3, 1)), ResponseType::kOkNoData);
}

TEST_F(DeviceTest, BlobsOfBothKindsAndNoOthers) {
    EXPECT_EQ(create_blob(1, BlobMemory::kHost3d, 4096), ResponseType::kOkNoData);
    EXPECT_EQ(create_blob(1, BlobMemory::kHost3d, 4096), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(create_blob(2, BlobMemory::kHost3d, uint64_t{1} << 40),
              ResponseType::kErrorOutOfMemory);
    EXPECT_EQ(create_blob(3, BlobMemory::kHost3dGuest, 4096), ResponseType::kErrorInvalidParameter);
    auto guest =
        with(header(CommandType::kResourceCreateBlob), 4U, 1U, 1U, 2U, uint64_t{0}, uint64_t{8192},
             kGuestBase, uint64_t{4096}, kGuestBase + 0x9000, uint64_t{4096});
    EXPECT_EQ(answer(guest), ResponseType::kErrorInvalidParameter)
        << "no memory of the guest's yet";
    const GuestFile file(1 << 20);
    ASSERT_TRUE(memory_.add(file.range(), file.number()));
    EXPECT_EQ(answer(guest), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kResourceUnref, 4)), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kResourceUnref, 4)), ResponseType::kErrorInvalidResource);
}

TEST_F(DeviceTest, MappingIsAnsweredWhenItIsDone) {
    ASSERT_EQ(create_blob(1, BlobMemory::kHost3d, 8192), ResponseType::kOkNoData);
    responses_.clear();
    send(map(1, 4096));
    EXPECT_TRUE(responses_.empty());
    // Meanwhile other commands are answered.
    EXPECT_EQ(answer(header(CommandType::kGetDisplayInfo)), ResponseType::kOkDisplayInfo);
    window_.finish({});
    EXPECT_EQ(type(1), ResponseType::kOkMapInfo);
    EXPECT_EQ(number_at<uint32_t>(responses_[1], 24), kMapCacheCached);
    EXPECT_EQ(answer(map(1, 65536)), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(answer(about(CommandType::kUnmapBlob, 1)), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kUnmapBlob, 1)), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(answer(map(1, 65536)), ResponseType::kOkMapInfo);
}

TEST_F(DeviceTest, RefusesPlacesThatCannotBe) {
    ASSERT_EQ(create_blob(1, BlobMemory::kHost3d, 8192), ResponseType::kOkNoData);
    EXPECT_EQ(answer(map(1, window_.size() - 4096)), ResponseType::kErrorOutOfMemory);
    EXPECT_EQ(answer(map(2, 0)), ResponseType::kErrorInvalidResource);
}

TEST_F(DeviceTest, AFailedMappingLeavesItsPlaceFree) {
    ASSERT_EQ(create_blob(1, BlobMemory::kHost3d, 4096), ResponseType::kOkNoData);
    responses_.clear();
    send(map(1, 0));
    window_.finish(wire::fail(wire::Fault::kRefused, "no"));
    EXPECT_EQ(type(0), ResponseType::kErrorUnspecified);
    send(map(1, 0));
    window_.finish({});
    EXPECT_EQ(type(1), ResponseType::kOkMapInfo);
}

TEST_F(DeviceTest, AResourceMayGoWhileItIsBeingMapped) {
    ASSERT_EQ(create_blob(1, BlobMemory::kHost3d, 4096), ResponseType::kOkNoData);
    send(map(1, 0));
    EXPECT_EQ(answer(about(CommandType::kResourceUnref, 1)), ResponseType::kOkNoData);
    ASSERT_EQ(create_blob(1, BlobMemory::kHost3d, 4096), ResponseType::kOkNoData);
    responses_.clear();
    send(map(1, 4096));
    window_.finish(wire::fail(wire::Fault::kRefused, "no"));
    ASSERT_EQ(responses_.size(), 2U);
    EXPECT_EQ(type(0), ResponseType::kErrorUnspecified);
    EXPECT_EQ(type(1), ResponseType::kErrorUnspecified);
}

TEST_F(DeviceTest, APlaceIsGivenBackWhenTheWorkerHasLeftIt) {
    open_ring_of_context();
    send(about(CommandType::kUnmapBlob, 11));
    send(about(CommandType::kResourceUnref, 11));
    settle(*loop_);
    EXPECT_TRUE(responses_.empty());
    send(header(CommandType::kContextDestroy, 1));
    run_until(*loop_, [&] { return responses_.size() == 3; });
    for (size_t i = 0; i < 3; ++i)
        EXPECT_EQ(type(i), ResponseType::kOkNoData);
}

TEST_F(DeviceTest, FencesComeBackWithTheirNumbers) {
    EXPECT_EQ(answer(header(CommandType::kGetDisplayInfo, 0, kFence, 77)),
              ResponseType::kOkDisplayInfo);
    EXPECT_EQ(number_at<uint32_t>(responses_[0], 4), kFence);
    EXPECT_EQ(fence(0), 77U);
}

TEST_F(DeviceTest, FencedResponsesKeepTheOrderOfTheirTimeline) {
    ASSERT_EQ(create_blob(1, BlobMemory::kHost3d, 4096), ResponseType::kOkNoData);
    responses_.clear();
    send(map(1, 0, kFence));
    send(header(CommandType::kGetDisplayInfo, 0, kFence, 6));
    EXPECT_TRUE(responses_.empty());
    window_.finish({});
    ASSERT_EQ(responses_.size(), 2U);
    EXPECT_EQ(fence(0), 5U);
    EXPECT_EQ(fence(1), 6U);
}

TEST_F(DeviceTest, ADoorbellsFenceWaitsForTheRing) {
    open_ring_of_context();
    send(submit(doorbell(0), kFenceOnRing, 8, 2));
    send(submit(doorbell(0)));                         // no fence: no wait
    send(submit(doorbell(0, 0), kFenceOnRing, 9, 4));  // every command has one on old kernels
    send(submit(ping(10), kFenceOnRing, 10, 3));       // another ring's: no wait
    settle(*loop_);
    ASSERT_EQ(responses_.size(), 3U);
    EXPECT_EQ(fence(1), 9U);
    EXPECT_EQ(fence(2), 10U);
    EXPECT_EQ(answer(header(CommandType::kContextDestroy, 1)), ResponseType::kOkNoData);
    ASSERT_EQ(responses_.size(), 5U);
    EXPECT_EQ(fence(3), 8U);
}

// What waits on the time line that all share must not keep others waiting.
TEST_F(DeviceTest, OnTheSharedTimeLineWaitersAreWokenByWhoeverComesBehind) {
    open_ring_of_context();
    send(submit(doorbell(0), kFence, 8));
    send(submit(doorbell(0), kFence, 9));
    settle(*loop_);
    EXPECT_TRUE(responses_.empty()) << "waiters wait behind each other";
    send(submit(ping(10), kFence, 10));
    ASSERT_EQ(responses_.size(), 3U);
    EXPECT_EQ(fence(0), 8U);
    EXPECT_EQ(fence(1), 9U);
    EXPECT_EQ(fence(2), 10U);
    send(submit(doorbell(0, 0), kFence, 11));
    EXPECT_EQ(responses_.size(), 4U) << "a doorbell that does not wait";
    send(submit(doorbell(0), kFence, 12));
    EXPECT_EQ(responses_.size(), 4U);
    send(submit(loadlibrary(10), kFence, 13));
    EXPECT_EQ(responses_.size(), 6U) << "the worker's answer is not waited for either";
}

class LegacyDeviceTest : public DeviceTest {
 protected:
    LegacyDeviceTest() {
        EXPECT_TRUE(memory_.add(file_.range(), file_.number()));
        device_.negotiate(false);
    }
    ResponseType create_resource(uint32_t resource) {
        return answer(joined(with(header(CommandType::kResourceCreate3d), resource, 2U, 67U),
                             std::vector<std::byte>(36)));
    }
    ResponseType attach_pages(uint32_t resource, uint64_t page, uint64_t other) {
        return answer(with(header(CommandType::kAttachBacking), resource, 2U, page, 4096U, 0U,
                           other, 4096U, 0U));
    }

    GuestFile file_{1 << 20};
};

TEST_F(LegacyDeviceTest, ContextsWithoutATypeAreOurs) {
    EXPECT_EQ(create_context(1, 0), ResponseType::kOkNoData);
    device_.negotiate(true);
    EXPECT_EQ(create_context(2, 0), ResponseType::kErrorInvalidParameter);
}

TEST_F(LegacyDeviceTest, AnswersInMemoryOfTheGuest) {
    ASSERT_EQ(create_context(1, 0), ResponseType::kOkNoData);
    ASSERT_EQ(create_resource(10), ResponseType::kOkNoData);
    // The driver attaches the pages first, but nobody has to.
    EXPECT_EQ(answer(about(CommandType::kContextAttachResource, 10, 1)), ResponseType::kOkNoData);
    EXPECT_EQ(attach_pages(10, kGuestBase + 0x5000, kGuestBase + 0x2000), ResponseType::kOkNoData);
    EXPECT_EQ(answer(submit(handshake(10), kFence, 1)), ResponseType::kOkNoData);
    EXPECT_EQ(file_.read<uint32_t>(kGuestBase + 0x5000), protocol::kApirHandshakeCode + 1);
    EXPECT_EQ(attach_pages(10, kGuestBase, kGuestBase + 0x1000),
              ResponseType::kErrorInvalidParameter)
        << "it has pages";
    EXPECT_EQ(answer(about(CommandType::kDetachBacking, 10)), ResponseType::kOkNoData);
    EXPECT_EQ(answer(about(CommandType::kDetachBacking, 10)), ResponseType::kErrorInvalidResource);
}

TEST_F(LegacyDeviceTest, PagesOutsideTheGuestsMemoryAreRefused) {
    ASSERT_EQ(create_resource(10), ResponseType::kOkNoData);
    EXPECT_EQ(attach_pages(10, kGuestBase, kGuestBase + (1 << 20)),
              ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(attach_pages(10, kGuestBase + 8, kGuestBase), ResponseType::kErrorInvalidParameter);
    EXPECT_EQ(attach_pages(99, kGuestBase, kGuestBase + 0x1000),
              ResponseType::kErrorInvalidParameter);
}

TEST_F(LegacyDeviceTest, ACountOfPagesThatIsNoneOrLongerThanTheListIsRefused) {
    ASSERT_EQ(create_resource(10), ResponseType::kOkNoData);
    const auto attach = [&](uint32_t count) {
        return answer(with(header(CommandType::kAttachBacking), 10U, count, kGuestBase, 4096U, 0U));
    };
    for (const uint32_t count : {0U, 2U, 0x10000001U, ~0U})
        EXPECT_NE(attach(count), ResponseType::kOkNoData) << count;
    EXPECT_EQ(attach(1), ResponseType::kOkNoData);
}

// A worker may still write to pages that the guest would give to somebody else.
TEST_F(LegacyDeviceTest, AResourceIsGoneWhenNobodyUsesItsPages) {
    ASSERT_EQ(create_context(1, 0), ResponseType::kOkNoData);
    ASSERT_EQ(create_resource(10), ResponseType::kOkNoData);
    ASSERT_EQ(attach_pages(10, kGuestBase, kGuestBase + 0x3000), ResponseType::kOkNoData);
    ASSERT_EQ(answer(about(CommandType::kContextAttachResource, 10, 1)), ResponseType::kOkNoData);
    send(submit(loadlibrary(10)));
    settle(*loop_);
    responses_.clear();
    send(about(CommandType::kResourceUnref, 10));
    EXPECT_TRUE(responses_.empty()) << "the fake worker keeps what it is lent";
    device_.reset();
    EXPECT_TRUE(device_.has_nothing());
    EXPECT_NE(log_.text().find("is ended: the guest was reset"), std::string::npos);
}

TEST_F(DeviceTest, ResetLeavesNothingBehind) {
    const auto before = open_descriptors();
    constexpr std::ptrdiff_t kOfTheWorker = 2;  // its socket and its process: it stays
    for (int i = 0; i < 3; ++i) {
        open_ring_of_context();
        EXPECT_EQ(window_.maps, i + 1);
        send(submit(doorbell(0), kFenceOnRing, 8, 2));
        send(about(CommandType::kUnmapBlob, 11));
        responses_.clear();
        device_.reset();
        EXPECT_TRUE(device_.has_nothing());
        run_until(*loop_, [&] { return open_descriptors() == before + kOfTheWorker; });
        EXPECT_TRUE(responses_.empty());  // the guest that asked is gone
    }
}

}  // namespace
}  // namespace virtgpu::gpu
