// The buffers that one request uses, kept alive until it is done.
#pragma once

#include <unordered_map>
#include <vector>

#include "backend/session.h"
#include "backend/validate/tensor.h"

namespace virtgpu::backend {

// For one thread and one request; a buffer that is freed meanwhile lives until this goes.
class HeldBuffers : public validate::BufferSizes {
 public:
    explicit HeldBuffers(Session& session) : session_(session) {}

    Result<uint64_t> size_of(protocol::Handle buffer) override {
        const uint64_t key = key_of(buffer);
        auto found = buffers_.find(key);
        if (found == buffers_.end())
            found = buffers_.emplace(key, TRY(session_.buffers().find(buffer))).first;
        return found->second->size();
    }

    // Of a tensor that was checked with this object.
    Buffer& get(protocol::Handle buffer) const { return *buffers_.at(key_of(buffer)); }

    std::vector<std::shared_ptr<const void>> all() const {
        std::vector<std::shared_ptr<const void>> all;
        all.reserve(buffers_.size());
        for (const auto& [key, buffer] : buffers_)
            all.emplace_back(buffer);
        return all;
    }

    std::vector<std::weak_ptr<Buffer>> unheld() const {
        std::vector<std::weak_ptr<Buffer>> unheld;
        for (const auto& [key, buffer] : buffers_)
            unheld.emplace_back(buffer);
        return unheld;
    }

    // Fault::kRefused when the device cannot reach one of the buffers.
    Result<void> check_reach(ggml_backend_dev_t device) const {
        for (const auto& [key, buffer] : buffers_)
            if (!ggml_backend_dev_supports_buft(device, buffer->type()))
                return wire::fail(Fault::kRefused, "{} cannot use a buffer of {}",
                                  ggml_backend_dev_name(device),
                                  ggml_backend_buft_name(buffer->type()));
        return {};
    }

 private:
    static uint64_t key_of(protocol::Handle buffer) {
        return (uint64_t{buffer.generation} << 32) | buffer.index;
    }

    Session& session_;
    std::unordered_map<uint64_t, std::shared_ptr<Buffer>> buffers_;
};

}  // namespace virtgpu::backend
