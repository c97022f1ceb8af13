// A ggml_backend_t of a host that speaks level 1 only.
#pragma once

#include "frontend/level1/forward_tensors.h"
#include "frontend/level1/upstream_host.h"

namespace virtgpu::frontend {

// Everything is done when a function returns, so there is nothing to wait for.
class UpstreamStream : public Stream {
 public:
    explicit UpstreamStream(UpstreamHost& host);

    HostConnection& connection() override { return host_; }
    wire::Result<ggml_status> compute(ggml_cgraph& graph) override;
    // Asked before a graph is sent: level 1 cannot break one off.
    void set_abort_callback(std::function<bool()> unwanted) override {
        unwanted_ = std::move(unwanted);
    }
    wire::Result<void> set_threads(uint32_t /*threads*/) override { return {}; }
    bool reorders_graphs() const override { return false; }
    wire::Result<void> optimize(ggml_cgraph& /*graph*/,
                                const ggml_backend_graph_optimize_params* /*params*/) override {
        return {};
    }
    wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<const std::byte> from) override;
    wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                  std::span<std::byte> to) override;
    wire::Result<bool> copy_tensor(Stream& reader, const ggml_tensor& from,
                                   const ggml_tensor& to) override;
    wire::Result<void> finish() override { return host_.health().check(); }
    wire::Result<uint64_t> mark() override { return 0; }
    wire::Result<void> finish(uint64_t /*mark*/) override { return host_.health().check(); }
    wire::Result<void> come_after(const Stream& /*other*/, uint64_t /*mark*/) override {
        return {};
    }

 private:
    UpstreamHost& host_;
    ForwardGraphEncoder encoder_;
    wire::Writer writer_;
    std::function<bool()> unwanted_;
};

}  // namespace virtgpu::frontend
