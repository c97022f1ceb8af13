// The host's state of a context: what all its rings share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "backend/buffer.h"
#include "backend/catalogue.h"
#include "backend/memory_account.h"
#include "backend/regions.h"
#include "backend/validate/vocabulary.h"
#include "backend/watchdog.h"
#include "wire/handle_table.h"
#include "wire/log.h"
#include "wire/trace.h"

namespace virtgpu::backend {

class RingServer;

enum class Stop {
    kNever,
    kWhenEmpty,  // after what the ring holds
    kNow,        // after the present request
};
using StopAsked = std::function<Stop()>;

// Whether what is computed at present is no longer wanted; empty where nobody can say so.
using AbortAsked = std::function<bool()>;

// The last that was given to a graph of this process.
using GraphUids = std::atomic<uint64_t>;

struct Limits {
    uint32_t buffers = 65536;                             // of one context
    uint32_t graphs = 64;                                 // of one stream
    uint32_t graph_tensors = protocol::kMaxGraphTensors;  // in all graphs of one stream
    uint64_t memory_bytes = 0;                // of all contexts together; 0: what the devices have
    std::chrono::milliseconds graph_time{0};  // that one graph may take; 0: any
};

// Since the context was opened. Bytes in and out are those of tensors' data.
struct Counters {
    std::atomic<uint64_t> graphs{0};
    std::atomic<uint64_t> nodes{0};
    std::atomic<uint64_t> defined{0};  // graphs that the guest sent whole
    std::atomic<uint64_t> edited{0};   // and those of which it sent what had changed
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> request_bytes{0};  // with their headers
    std::atomic<uint64_t> graph_bytes{0};    // encoded, beside the requests
    std::atomic<uint64_t> doorbells{0};
    std::atomic<uint64_t> wakeups{0};  // of a guest that slept
    std::atomic<uint64_t> stalls{0};   // of a ring, until a device was done
    std::atomic<uint64_t> bytes_in{0};
    std::atomic<uint64_t> bytes_out{0};
};

// Thread safe: every ring has its own thread, and serves ring 0 besides. Keeps references to the
// catalogue, the trace and the log.
class Session {
 public:
    Session(uint32_t context, const Catalogue& catalogue, std::shared_ptr<const Regions> regions,
            const Limits& limits, std::chrono::microseconds guest_polling,
            std::shared_ptr<MemoryAccount> memory, std::shared_ptr<GraphUids> graph_uids,
            wire::Trace* trace, wire::Log& log);

    uint32_t context() const { return context_; }
    const Catalogue& catalogue() const { return catalogue_; }
    wire::Log& log() const { return log_; }
    // Null when nothing is traced.
    wire::Trace* trace() const { return trace_; }
    wire::HandleTable<Buffer>& buffers() { return buffers_; }
    const std::shared_ptr<MemoryAccount>& memory() const { return memory_; }
    Counters& counters() { return counters_; }
    const Limits& limits() const { return limits_; }
    // What a device has for this guest.
    protocol::GetDeviceMemoryReply memory_of(ggml_backend_dev_t device) const;
    // Set once, before anything runs; null where nothing is watched.
    void set_watchdog(Watchdog* watchdog) { watchdog_ = watchdog; }
    Watchdog* watchdog() const { return watchdog_; }
    std::chrono::microseconds guest_polling() const { return guest_polling_; }

    const std::shared_ptr<const Regions>& regions() const { return regions_; }
    Result<std::shared_ptr<wire::Region>> region(uint32_t number) const {
        return regions_->find(number);
    }

    // Once, by HELLO; Fault::kPeer the second time.
    Result<void> agree(validate::Vocabulary vocabulary);
    // Fault::kPeer before HELLO.
    Result<std::shared_ptr<const validate::Vocabulary>> vocabulary() const;

    // For a graph that ggml computes: no other graph of the process has it, ggml's own included.
    uint64_t next_graph_uid() { return kNotOfGgml | ++*graph_uids_; }

    // Rings of the context, for those that wait for them.
    void add_ring(uint32_t number, const std::shared_ptr<RingServer>& server);
    // Nothing when it is not open.
    std::shared_ptr<RingServer> ring(uint32_t number) const;
    // Serves ring 0, in the caller's thread, until `sequence` is done. Fault::kPeer when the ring
    // does not hold it.
    Result<void> serve_ring0(uint64_t sequence, const StopAsked& stop);

    // The guest broke the protocol: no ring of the context is served any more. True for the first.
    bool fail();
    bool failed() const { return failed_; }

 private:
    const uint32_t context_;
    const Catalogue& catalogue_;
    const std::shared_ptr<const Regions> regions_;
    wire::Trace* const trace_;
    wire::Log& log_;
    wire::HandleTable<Buffer> buffers_;
    const std::shared_ptr<MemoryAccount> memory_;
    // ggml counts its own from 1.
    static constexpr uint64_t kNotOfGgml = uint64_t{1} << 63;
    const std::shared_ptr<GraphUids> graph_uids_;
    const Limits limits_;
    const std::chrono::microseconds guest_polling_;
    Counters counters_;
    std::atomic<bool> failed_{false};
    Watchdog* watchdog_ = nullptr;
    mutable std::mutex rings_mutex_;
    std::map<uint32_t, std::weak_ptr<RingServer>> rings_;
    mutable std::mutex vocabulary_mutex_;
    std::shared_ptr<const validate::Vocabulary> vocabulary_;
};

}  // namespace virtgpu::backend
