#include "frontend/deliveries.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "tests/unit/frontend/plugin_host.h"
#include "tests/unit/frontend/ring_fixture.h"

namespace virtgpu::frontend {
namespace {

using protocol::Command;
using test::RingAnswer;
using Bytes = std::vector<std::byte>;

// The host sends bytes of the value that is the tensor's place in its buffer.
class DeliveriesTest : public RingFixture {
 protected:
    void SetUp() override {
        open(
            [this](Command command, std::span<const std::byte> payload) {
                if (command == Command::kGetTensor)
                    send(test::decoded<protocol::GetTensorRequest>(payload));
                return RingAnswer{};
            },
            {1 << 16, Deliveries::kLandingBytes});
        deliveries_ = std::make_unique<Deliveries>(*channel_);
    }

    void send(const protocol::GetTensorRequest& request) {
        const Bytes bytes(request.data.size, std::byte(request.tensor.data_offset));
        EXPECT_TRUE(host_->region(request.data.region)->copy_in(request.data.offset, bytes));
    }

    static Deliveries::Part part(uint8_t value) {
        Deliveries::Part part;
        part.tensor.data_offset = value;
        return part;
    }

    // Memory that the host shares, filled with `value`.
    std::shared_ptr<SharedRegion> shared(size_t size, int value) {
        std::shared_ptr<SharedRegion> region = transport_->create_region(size).value();
        std::memset(region->memory()->bulk(0, size)->data(), value, size);
        return region;
    }

    void postpone(uint8_t value, Bytes& to, const std::shared_ptr<SharedRegion>& region) {
        deliveries_->postpone(part(value), to, region, *region->memory()->bulk(0, to.size()));
    }

    void lose_host() {
        host_->serves_rings = false;
        host_->state = protocol::ContextState::kLost;
    }

    // Sends two postponed reads of 100 bytes behind one of `requested` bytes.
    void expect_zeroes_after_a_failure_to_send(size_t requested) {
        Bytes before(requested);
        Bytes first(100, std::byte{9});
        Bytes second(100, std::byte{9});
        const auto region = shared(4096, 3);
        lose_host();
        ASSERT_TRUE(deliveries_->request(part(1), before));
        postpone(1, first, region);
        postpone(1, second, region);
        EXPECT_FALSE(deliveries_->send_postponed());
        EXPECT_FALSE(deliveries_->finish());
        EXPECT_THAT(first, testing::Each(std::byte{0}));
        EXPECT_THAT(second, testing::Each(std::byte{0}));
    }

    std::unique_ptr<Deliveries> deliveries_;
};

TEST_F(DeliveriesTest, WhatIsAskedForIsThereAfterAWait) {
    Bytes first(100);
    Bytes second(100);
    ASSERT_TRUE(deliveries_->request(part(1), first));
    ASSERT_TRUE(deliveries_->request(part(2), second));
    ASSERT_TRUE(channel_->finish());
    EXPECT_THAT(first, testing::Each(std::byte{0})) << "nobody asked for it yet";
    ASSERT_TRUE(deliveries_->finish());
    EXPECT_THAT(first, testing::Each(std::byte{1}));
    EXPECT_THAT(second, testing::Each(std::byte{2}));
}

TEST_F(DeliveriesTest, AWaitForARequestDeliversWhatCameBefore) {
    Bytes first(100);
    Bytes second(100);
    ASSERT_TRUE(deliveries_->request(part(1), first));
    const uint64_t point = channel_->sent();
    ASSERT_TRUE(deliveries_->request(part(2), second));
    ASSERT_TRUE(channel_->finish());
    ASSERT_TRUE(deliveries_->finish(point));
    EXPECT_THAT(first, testing::Each(std::byte{1}));
    EXPECT_THAT(second, testing::Each(std::byte{0}));
    ASSERT_TRUE(deliveries_->finish());
    EXPECT_THAT(second, testing::Each(std::byte{2}));
}

TEST_F(DeliveriesTest, MoreThanTheLandingAreaHolds) {
    std::vector<Bytes> all(20, Bytes((1 << 19) + 1));
    for (size_t i = 0; i < all.size(); ++i)
        ASSERT_TRUE(deliveries_->request(part(static_cast<uint8_t>(i + 1)), all[i]));
    Bytes huge(Deliveries::kLandingBytes + 1);
    ASSERT_TRUE(deliveries_->request(part(99), huge));
    ASSERT_TRUE(deliveries_->finish());
    for (size_t i = 0; i < all.size(); ++i)
        EXPECT_EQ(all[i], Bytes(all[i].size(), std::byte(i + 1)));
    EXPECT_EQ(huge, Bytes(huge.size(), std::byte{99}));
}

TEST_F(DeliveriesTest, TheHostWritesToMemoryThatItSees) {
    const auto region = shared(4096, 0);
    const auto there = region->memory()->bulk(64, 100);
    ASSERT_TRUE(deliveries_->request_there(part(5), {region->number(), 64, 100},
                                           {there->data(), there->size()}));
    ASSERT_TRUE(channel_->finish());
    EXPECT_EQ(there->data()[0], std::byte{5}) << "without a copy";
    ASSERT_TRUE(deliveries_->finish());
    EXPECT_EQ(there->data()[99], std::byte{5});
    EXPECT_EQ(there->data()[100], std::byte{0});
}

TEST_F(DeliveriesTest, PostponedBytesAreFetchedWithoutARequest) {
    Bytes to(100);
    const auto region = shared(4096, 3);
    postpone(1, to, region);
    std::memset(region->memory()->bulk(0, 100)->data(), 4, 100);  // by what was queued before
    EXPECT_THAT(to, testing::Each(std::byte{0}));
    ASSERT_TRUE(deliveries_->finish());
    EXPECT_THAT(to, testing::Each(std::byte{4}));
    EXPECT_EQ(host_->commands(), 0);
    EXPECT_TRUE(deliveries_->send_postponed());
    EXPECT_EQ(host_->commands(), 0) << "once";
}

TEST_F(DeliveriesTest, PostponedBytesAreSentBeforeSomethingElseIsQueued) {
    Bytes to(100);
    const auto region = shared(4096, 3);
    postpone(1, to, region);
    ASSERT_TRUE(deliveries_->send_postponed());
    ASSERT_TRUE(deliveries_->send_postponed());
    ASSERT_TRUE(deliveries_->finish());
    EXPECT_EQ(host_->commands(), 1);
    EXPECT_THAT(to, testing::Each(std::byte{1})) << "what the host had at that time";
}

TEST_F(DeliveriesTest, ManyPostponedBytesAreWaitedFor) {
    std::vector<Bytes> all(3, Bytes(1 << 20));
    const auto region = shared(1 << 20, 3);
    for (Bytes& to : all)
        postpone(1, to, region);
    ASSERT_TRUE(deliveries_->send_postponed());
    EXPECT_EQ(host_->commands(), 0);
    for (const Bytes& to : all)
        EXPECT_EQ(to, Bytes(to.size(), std::byte{3}));
}

TEST_F(DeliveriesTest, PostponedBytesOutliveTheirRegion) {
    Bytes first(100);
    postpone(1, first, shared(4096, 3));
    ASSERT_TRUE(deliveries_->finish());
    EXPECT_THAT(first, testing::Each(std::byte{3}));
    Bytes second(100);
    postpone(1, second, shared(4096, 4));
    ASSERT_TRUE(deliveries_->send_postponed());
    EXPECT_THAT(second, testing::Each(std::byte{4}));
    EXPECT_EQ(host_->commands(), 0) << "the host no longer knows the buffer";
}

TEST_F(DeliveriesTest, AFailureGivesZeroes) {
    Bytes requested(100, std::byte{9});
    Bytes postponed(100, std::byte{9});
    const auto there = shared(4096, 9);
    const auto region = shared(4096, 3);
    lose_host();
    ASSERT_TRUE(deliveries_->request(part(1), requested));
    ASSERT_TRUE(deliveries_->request_there(part(2), {there->number(), 0, 100},
                                           {there->memory()->bulk(0, 100)->data(), 100}));
    postpone(1, postponed, region);
    EXPECT_FALSE(deliveries_->finish());
    EXPECT_THAT(requested, testing::Each(std::byte{0}));
    EXPECT_THAT(postponed, testing::Each(std::byte{0}));
    EXPECT_EQ(there->memory()->bulk(99, 1)->data()[0], std::byte{0});
    EXPECT_EQ(there->memory()->bulk(100, 1)->data()[0], std::byte{9});
}

TEST_F(DeliveriesTest, AFailureUpToARequestGivesZeroesForAll) {
    Bytes first(100, std::byte{9});
    Bytes second(100, std::byte{9});
    lose_host();
    ASSERT_TRUE(deliveries_->request(part(1), first));
    const uint64_t point = channel_->sent();
    ASSERT_TRUE(deliveries_->request(part(2), second));
    EXPECT_FALSE(deliveries_->finish(point));
    EXPECT_THAT(first, testing::Each(std::byte{0}));
    EXPECT_THAT(second, testing::Each(std::byte{0}));
}

// The landing area is full, so sending them waits, and finds out.
TEST_F(DeliveriesTest, AFailureToSendPostponedBytesGivesZeroesForAll) {
    expect_zeroes_after_a_failure_to_send(Deliveries::kLandingBytes);
}

// The first still has room.
TEST_F(DeliveriesTest, AFailureAfterTheFirstPostponedBytesWereSentGivesZeroesForAll) {
    expect_zeroes_after_a_failure_to_send(Deliveries::kLandingBytes - 128);
}

// The thread that holds the lock is not in the child.
TEST_F(DeliveriesTest, AForkedChildDoesNotWaitForAThreadOfItsParent) {
    Bytes bytes(100);
    host_->serves_rings = false;
    ASSERT_TRUE(deliveries_->request(part(1), bytes));
    std::thread waiting([&] { static_cast<void>(deliveries_->finish()); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);  // instead of a test that hangs
        ::_exit(deliveries_->finish() || deliveries_->finish(1) ? 1 : 0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    host_->state = protocol::ContextState::kLost;
    waiting.join();
}

}  // namespace
}  // namespace virtgpu::frontend
