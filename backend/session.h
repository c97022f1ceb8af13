// The host's state of a context: what all its rings share.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "backend/buffer.h"
#include "backend/catalogue.h"
#include "backend/memory_account.h"
#include "backend/progress.h"
#include "backend/regions.h"
#include "backend/validate/vocabulary.h"
#include "wire/handle_table.h"
#include "wire/log.h"

namespace virtgpu::backend {

struct Limits {
    uint32_t buffers = 65536;   // of one context
    uint64_t memory_bytes = 0;  // of all contexts together; 0: what the devices have
};

// Since the context was opened. Bytes are those of tensors' data.
struct Counters {
    std::atomic<uint64_t> graphs{0};
    std::atomic<uint64_t> nodes{0};
    std::atomic<uint64_t> requests{0};
    std::atomic<uint64_t> bytes_in{0};
    std::atomic<uint64_t> bytes_out{0};
};

// Thread safe: every ring has its own thread. Keeps references to the catalogue and the log.
class Session {
 public:
    Session(uint32_t context, const Catalogue& catalogue, std::shared_ptr<const Regions> regions,
            uint32_t buffer_limit, std::shared_ptr<MemoryAccount> memory, wire::Log& log);

    uint32_t context() const { return context_; }
    const Catalogue& catalogue() const { return catalogue_; }
    wire::Log& log() const { return log_; }
    wire::HandleTable<Buffer>& buffers() { return buffers_; }
    const std::shared_ptr<MemoryAccount>& memory() const { return memory_; }
    Counters& counters() { return counters_; }
    Progress& ring0() { return ring0_; }

    Result<std::shared_ptr<wire::Region>> region(uint32_t number) const {
        return regions_->find(number);
    }

    // Once, by HELLO; Fault::kPeer the second time.
    Result<void> agree(validate::Vocabulary vocabulary);
    // Fault::kPeer before HELLO.
    Result<std::shared_ptr<const validate::Vocabulary>> vocabulary() const;

    // The guest broke the protocol: no ring of the context is served any more. True for the first.
    bool fail();
    bool failed() const { return failed_; }

 private:
    const uint32_t context_;
    const Catalogue& catalogue_;
    const std::shared_ptr<const Regions> regions_;
    wire::Log& log_;
    wire::HandleTable<Buffer> buffers_;
    const std::shared_ptr<MemoryAccount> memory_;
    Counters counters_;
    Progress ring0_;
    std::atomic<bool> failed_{false};
    mutable std::mutex vocabulary_mutex_;
    std::shared_ptr<const validate::Vocabulary> vocabulary_;
};

}  // namespace virtgpu::backend
