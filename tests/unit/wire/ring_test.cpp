#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "tests/unit/wire/test_region.h"
#include "wire/guest_ring.h"
#include "wire/host_ring.h"

namespace virtgpu::wire {
namespace {

using protocol::Command;
using protocol::RingHeader;
using protocol::Status;

constexpr uint32_t kCapacity = RingMemory::kSmallestCapacity;

class RingTest : public testing::Test {
 protected:
    RingTest() : regions_(make_shared_region(RingMemory::bytes_needed(kCapacity, kCapacity))) {}

    static RingMemory memory(const std::shared_ptr<Region>& region) {
        return RingMemory::create(region, kCapacity, kCapacity).value();
    }
    void guest_writes(size_t offset, uint64_t value) {
        ASSERT_TRUE(regions_.first->copy_in(offset, std::as_bytes(std::span(&value, 1))));
    }

    std::pair<std::shared_ptr<Region>, std::shared_ptr<Region>> regions_;
    GuestRing guest_{memory(regions_.first)};
    HostRing host_{memory(regions_.second)};
};

std::vector<std::byte> pattern(size_t size, uint64_t seed) {
    std::vector<std::byte> bytes(size);
    for (size_t i = 0; i < size; ++i)
        bytes[i] = static_cast<std::byte>(seed * 31 + i);
    return bytes;
}

TEST_F(RingTest, RequestsAndRepliesArriveInOrderThroughManyWraps) {
    for (uint64_t i = 1; i <= 1000; ++i) {
        const auto sent = pattern((i * 37) % 1500, i);
        ASSERT_EQ(guest_.send(Command::kHello, i - 1, sent).value().value(), i);
        const auto request = host_.next().value().value();
        EXPECT_EQ(request.sequence, i);
        EXPECT_EQ(request.after, i - 1);
        ASSERT_EQ(request.payload, sent);

        const auto answered = pattern((i * 53) % 1500, i + 7);
        ASSERT_TRUE(host_.reply(i, Status::kOk, answered));
        host_.complete(i);
        const auto reply = guest_.receive().value().value();
        EXPECT_EQ(reply.sequence, i);
        ASSERT_EQ(reply.payload, answered);
    }
}

TEST_F(RingTest, AFullRingTakesNothingUntilTheHostReads) {
    const auto payload = pattern(1000, 1);
    int sent = 0;
    while (guest_.send(Command::kHello, 0, payload).value())
        ++sent;
    EXPECT_EQ(sent, 4);
    ASSERT_TRUE(host_.next().value());
    EXPECT_TRUE(guest_.send(Command::kHello, 0, payload).value());
}

TEST_F(RingTest, ARequestThatCanNeverFitIsRefused) {
    EXPECT_FALSE(guest_.send(Command::kHello, 0, pattern(kCapacity, 1)));
    EXPECT_TRUE(guest_.send(Command::kHello, 0, pattern(guest_.largest_request(), 1)).value());
    EXPECT_TRUE(host_.next().value());
}

TEST_F(RingTest, TheHostRefusesTailsThatMakeNoSense) {
    for (const uint64_t tail : {uint64_t{kCapacity} + 8, UINT64_MAX, uint64_t{8}}) {
        guest_writes(RingHeader::kRequestTail, tail);
        EXPECT_EQ(host_.next().error().fault(), Fault::kPeer) << tail;
    }
}

TEST_F(RingTest, TheHostRefusesRecordsLargerThanWhatIsThere) {
    ASSERT_TRUE(guest_.send(Command::kHello, 0, pattern(8, 1)).value());
    for (const uint64_t size : {0U, 15U, 25U, 4096U, UINT32_MAX}) {
        guest_writes(RingHeader::kSize, size);
        EXPECT_EQ(host_.next().error().fault(), Fault::kPeer) << size;
    }
}

TEST_F(RingTest, TheHostKeepsItsOwnPositions) {
    ASSERT_TRUE(guest_.send(Command::kHello, 0, pattern(8, 1)).value());
    ASSERT_TRUE(host_.next().value());
    guest_writes(RingHeader::kRequestHead, 12345);
    EXPECT_FALSE(host_.next().value()) << "nothing new, whatever the shared word says";
}

TEST_F(RingTest, AGuestThatReadsNoRepliesIsAtFault) {
    const auto payload = pattern(2000, 1);
    ASSERT_TRUE(host_.reply(1, Status::kOk, payload));
    ASSERT_TRUE(host_.reply(2, Status::kOk, payload));
    EXPECT_EQ(host_.reply(3, Status::kOk, payload).error().fault(), Fault::kPeer);
    guest_writes(RingHeader::kReplyHead, UINT64_MAX);
    EXPECT_EQ(host_.reply(3, Status::kOk, payload).error().fault(), Fault::kPeer);
}

// Found by fuzzing, by a sanitizer: they have no address.
TEST_F(RingTest, PayloadsOfNoBytesAreNotCopied) {
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}));
    EXPECT_EQ(host_.next().value()->payload.size(), 0U);
    ASSERT_TRUE(host_.reply(1, Status::kOk, {}));
    EXPECT_EQ(guest_.receive().value()->payload.size(), 0U);
}

TEST_F(RingTest, TheHostIsToldWhoWaits) {
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    ASSERT_TRUE(host_.next().value());
    EXPECT_TRUE(guest_.prepare_wait(1));
    EXPECT_TRUE(host_.complete(1));
    guest_.end_wait();
    EXPECT_FALSE(guest_.prepare_wait(1)) << "done already";
    EXPECT_FALSE(host_.complete(2)) << "nobody waits";
}

TEST_F(RingTest, AGuestThatSleepsForAnAnswerIsWokenByIt) {
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    ASSERT_TRUE(host_.next().value());
    EXPECT_FALSE(host_.is_slept_for(1));
    EXPECT_TRUE(guest_.prepare_wait(1));
    ASSERT_TRUE(host_.reply(1, Status::kOk, {}));
    EXPECT_TRUE(host_.is_slept_for(1)) << "although it is not done";
    guest_.end_wait();
    EXPECT_FALSE(guest_.prepare_wait(1)) << "answered already";
}

TEST_F(RingTest, TheHostSeesWhatIsWaitedForAwake) {
    EXPECT_FALSE(host_.is_wanted(1));
    guest_.want(2);
    EXPECT_TRUE(host_.is_wanted(1));
    EXPECT_TRUE(host_.is_wanted(2));
    EXPECT_FALSE(host_.is_wanted(3));
    EXPECT_FALSE(host_.is_slept_for(2)) << "nobody sleeps";
}

TEST_F(RingTest, ASleepingHostNeedsADoorbell) {
    EXPECT_FALSE(guest_.doorbell_needed());
    EXPECT_TRUE(host_.prepare_sleep());
    EXPECT_TRUE(guest_.doorbell_needed());
    host_.end_sleep();
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    EXPECT_FALSE(host_.prepare_sleep()) << "there is work";
    EXPECT_FALSE(guest_.doorbell_needed());
}

TEST_F(RingTest, TheHostSeesUpToWhichRequestNothingIsWanted) {
    EXPECT_FALSE(host_.abort_asked(1));
    guest_.ask_to_abort(2);
    EXPECT_TRUE(host_.abort_asked(1));
    EXPECT_TRUE(host_.abort_asked(2));
    EXPECT_FALSE(host_.abort_asked(3));
    guest_writes(RingHeader::kAbortUntil, 3);
    EXPECT_TRUE(host_.abort_asked(3)) << "the word that the protocol says";
}

TEST_F(RingTest, ADoorbellIsAskedForOncePerSleep) {
    ASSERT_TRUE(host_.prepare_sleep());
    EXPECT_FALSE(guest_.ask_for_doorbell()) << "there is nothing to look at";
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    EXPECT_TRUE(guest_.ask_for_doorbell());
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    EXPECT_FALSE(guest_.ask_for_doorbell()) << "it is about to wake";
    host_.end_sleep();
    while (host_.next().value()) {
    }
    ASSERT_TRUE(host_.prepare_sleep());
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    EXPECT_TRUE(guest_.ask_for_doorbell()) << "it slept again";
}

// Another thread of the host may have taken it, which does not come back to say that it is done.
TEST_F(RingTest, AHostThatSleepsWithWhatItTookIsAskedOnce) {
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    EXPECT_FALSE(guest_.ask_for_completion(1)) << "it is awake";
    ASSERT_TRUE(host_.next().value());
    ASSERT_TRUE(host_.prepare_sleep());
    EXPECT_FALSE(guest_.ask_for_doorbell()) << "there is nothing to take";
    EXPECT_TRUE(guest_.ask_for_completion(1));
    EXPECT_FALSE(guest_.ask_for_completion(1)) << "it is about to wake";
    host_.complete(1);
    ASSERT_TRUE(guest_.send(Command::kHello, 0, {}).value());
    EXPECT_FALSE(guest_.ask_for_completion(2)) << "that is the other doorbell's";
    EXPECT_TRUE(guest_.ask_for_doorbell());
    ASSERT_TRUE(host_.next().value());
    EXPECT_TRUE(guest_.ask_for_completion(2));
    host_.complete(2);
    EXPECT_FALSE(guest_.ask_for_completion(2)) << "it is done";
}

TEST_F(RingTest, AThreadThatWaitsForLessDoesNotTakeBackWhatAnotherWants) {
    guest_.want(10);
    guest_.want(5);
    EXPECT_TRUE(host_.is_wanted(10));
    EXPECT_FALSE(host_.is_wanted(11));
}

// An event as rings have them, which a thread really sleeps on.
class Event {
 public:
    Event() : file_(::eventfd(0, EFD_CLOEXEC)) {}
    ~Event() { ::close(file_); }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;

    void signal() {
        const uint64_t one = 1;
        EXPECT_EQ(::write(file_, &one, sizeof one), ssize_t{sizeof one});
    }
    // False when nobody signals: the wake-up was lost.
    bool sleep() {
        constexpr int kPatience = 20000;
        pollfd waiting{file_, POLLIN, 0};
        uint64_t count = 0;
        return ::poll(&waiting, 1, kPatience) == 1 && ::read(file_, &count, sizeof count) > 0;
    }

 private:
    const int file_;
};

TEST_F(RingTest, TwoThreadsSleepAndWakeEachOther) {
    constexpr uint64_t kCount = 3000;
    Event doorbell;
    Event completion;
    uint64_t host_sleeps = 0;
    std::thread host([&] {
        for (uint64_t done = 0; done < kCount;) {
            if (const auto request = host_.next().value()) {
                done = request->sequence;
                if (host_.complete(done))
                    completion.signal();
                continue;
            }
            if (host_.prepare_sleep()) {
                ++host_sleeps;
                ASSERT_TRUE(doorbell.sleep()) << "after " << done;
            }
            host_.end_sleep();
        }
    });
    uint64_t guest_sleeps = 0;
    for (uint64_t sent = 0; sent < kCount;) {
        // The host finds one, some or none when it looks again.
        for (uint64_t burst = sent % 3 + 1; burst > 0 && sent < kCount; --burst) {
            sent = guest_.send(Command::kHello, 0, {}).value().value();
            if (guest_.ask_for_doorbell())
                doorbell.signal();
        }
        while (guest_.completed() < sent) {
            if (!guest_.prepare_wait(sent))
                continue;
            ++guest_sleeps;
            ASSERT_TRUE(completion.sleep()) << "for " << sent;
            guest_.end_wait();
        }
    }
    host.join();
    EXPECT_GT(host_sleeps, 0U);
    EXPECT_GT(guest_sleeps, 0U);
}

TEST_F(RingTest, TwoThreadsExchangeManyRecords) {
    constexpr uint64_t kCount = 20000;
    std::thread host([this] {
        for (uint64_t done = 0; done < kCount;) {
            const auto request = host_.next().value();
            if (!request) {
                std::this_thread::yield();
                continue;
            }
            done = request->sequence;
            ASSERT_EQ(request->payload, pattern(request->sequence % 700, request->sequence));
            ASSERT_TRUE(host_.reply(done, Status::kOk, request->payload));
            host_.complete(done);
        }
    });
    uint64_t sent = 0;
    uint64_t received = 0;
    while (received < kCount) {
        if (sent < kCount && sent - received < 2 &&
            guest_.send(Command::kHello, 0, pattern((sent + 1) % 700, sent + 1)).value())
            ++sent;
        if (const auto reply = guest_.receive().value()) {
            ++received;
            ASSERT_EQ(reply->sequence, received);
            ASSERT_EQ(reply->payload, pattern(received % 700, received));
        } else {
            std::this_thread::yield();
        }
    }
    host.join();
}

TEST(RingMemory, RefusesSizesThatDoNotFit) {
    const auto region = make_shared_region(RingMemory::bytes_needed(4096, 4096)).first;
    EXPECT_TRUE(RingMemory::create(region, 4096, 4096));
    EXPECT_FALSE(RingMemory::create(region, 8192, 4096));
    EXPECT_FALSE(RingMemory::create(region, 4096, 5000));
    EXPECT_FALSE(RingMemory::create(region, 0, 4096));
    EXPECT_FALSE(RingMemory::create(region, 4096, 1U << 31));
}

}  // namespace
}  // namespace virtgpu::wire
