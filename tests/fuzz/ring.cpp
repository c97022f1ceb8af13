// The host's end of a ring whose memory a guest changes all the time: a thread writes what the
// input says while requests are taken and answered.
#include <fuzzer/FuzzedDataProvider.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "tests/fuzz/require.h"
#include "wire/host_ring.h"

namespace virtgpu::fuzz {
namespace {

constexpr uint32_t kCapacity = wire::RingMemory::kSmallestCapacity;
constexpr int kTurns = 64;

class HeapRegion : public wire::Region {
 public:
    explicit HeapRegion(size_t size)
        : Region(static_cast<std::byte*>(std::aligned_alloc(4096, (size + 4095) / 4096 * 4096)),
                 size) {
        std::memset(base(), 0, size);
    }
    ~HeapRegion() override { std::free(base()); }
};

struct Write {
    uint64_t offset;
    uint64_t value;
};

// Mostly the words by which the ring is synchronised, with values that mean something there.
std::vector<Write> writes_of(FuzzedDataProvider& input, size_t size) {
    constexpr size_t kWords[] = {
        protocol::RingHeader::kRequestTail, protocol::RingHeader::kReplyHead,
        protocol::RingHeader::kWaitingFor, protocol::RingHeader::kAbortUntil,
        protocol::RingHeader::kRequestHead};
    std::vector<Write> writes;
    while (input.remaining_bytes() > 0 && writes.size() < 256) {
        const bool word = input.ConsumeBool();
        const uint64_t offset = word ? input.PickValueInArray(kWords)
                                     : input.ConsumeIntegralInRange<uint64_t>(0, size / 8 - 1) * 8;
        const uint64_t value = input.ConsumeBool()
                                   ? input.ConsumeIntegralInRange<uint64_t>(0, 2 * kCapacity)
                                   : input.ConsumeIntegral<uint64_t>();
        writes.push_back({offset, value});
    }
    return writes;
}

void write(wire::Region& region, const Write& what) {
    std::array<std::byte, sizeof what.value> bytes{};
    std::memcpy(bytes.data(), &what.value, sizeof what.value);
    require(region.copy_in(what.offset, bytes).has_value(), "the write lies in the region");
}

void serve(wire::HostRing& ring) {
    uint64_t last = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
        const auto request = ring.next();
        if (!request)
            return require(request.error().fault() == wire::Fault::kPeer,
                           "it is the guest's fault");
        if (!*request) {
            if (ring.prepare_sleep())
                ring.end_sleep();
            continue;
        }
        require((*request)->sequence == ++last, "requests are counted");
        require((*request)->payload.size() <= kCapacity, "requests fit into the ring");
        static_cast<void>(ring.abort_asked(last));
        if (!ring.reply(last, protocol::Status::kOk, (*request)->payload))
            return;
        static_cast<void>(ring.complete(last));
    }
}

void check(FuzzedDataProvider& input) {
    const auto region =
        std::make_shared<HeapRegion>(wire::RingMemory::bytes_needed(kCapacity, kCapacity));
    const size_t before = input.ConsumeIntegralInRange<size_t>(0, 32);
    const std::vector<Write> writes = writes_of(input, region->size());
    for (size_t i = 0; i < std::min(before, writes.size()); ++i)
        write(*region, writes[i]);
    wire::HostRing ring(*wire::RingMemory::create(region, kCapacity, kCapacity));
    std::atomic<bool> done{false};
    std::thread guest([&] {
        while (!done && !writes.empty())
            for (const Write& what : writes)
                write(*region, what);
    });
    serve(ring);
    done = true;
    guest.join();
}

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzedDataProvider input(data, size);
    virtgpu::fuzz::check(input);
    return 0;
}
