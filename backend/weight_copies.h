// The copies of the weights in one buffer.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "backend/copy_types.h"
#include "backend/weight_copy.h"
#include "wire/log.h"

namespace virtgpu::backend {

// Belongs to a buffer. Thread safe. No two copies are of the same bytes, so a guest cannot collect
// them with ever other shapes.
class WeightCopies : public SpareMemory, public std::enable_shared_from_this<WeightCopies> {
 public:
    // Keeps the copies where they are, for whoever computes with them.
    using Hold = std::shared_ptr<const void>;

    struct Copy {
        ggml_tensor* tensor = nullptr;
        Hold hold{};
    };
    // The copy of the node's first source, which lies at `offset` in the buffer; made when it is
    // the first time. Null where the node has to do with the original.
    Copy copy_for(const ggml_tensor& node, uint64_t offset, const CopyTypes& types,
                  const std::shared_ptr<MemoryAccount>& account, wire::Log& log);

    // After bytes of the buffer were written: what is copied of them is out of date.
    void mark_changed(uint64_t offset, uint64_t size);
    // Whether refresh() has something to do.
    bool stale() const { return stale_; }
    // Brings all copies up to date; null when there are none any more. The buffer must be there.
    Hold refresh();

    // The buffer has none any more: graphs are to use the originals from their next run on.
    void abandon() { abandoned_ = true; }
    bool abandoned() const { return abandoned_; }
    void give_up() override;

 private:
    using ByOffset = std::map<uint64_t, std::unique_ptr<WeightCopy>>;

    // The first copy that ends after `offset`.
    ByOffset::iterator first_behind(uint64_t offset);
    ggml_tensor* make(const ggml_tensor& node, uint64_t offset, ggml_backend_buffer_type_t type,
                      const std::shared_ptr<MemoryAccount>& account, wire::Log& log);

    std::mutex mutex_;
    // Graphs that run hold it as well.
    std::shared_ptr<ByOffset> copies_ = std::make_shared<ByOffset>();
    bool full_ = false;
    std::atomic<bool> stale_{false};
    std::atomic<bool> abandoned_{false};
};

}  // namespace virtgpu::backend
