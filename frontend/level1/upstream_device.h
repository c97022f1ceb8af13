// The device of a host that speaks level 1 only.
#pragma once

#include "frontend/answer_memo.h"
#include "frontend/level1/upstream_host.h"

namespace virtgpu::frontend {

class UpstreamDevice : public Device {
 public:
    // Asks the host what it needs to know; what the host does not answer stays at a default.
    UpstreamDevice(UpstreamHost& host, std::string name);

    HostConnection& connection() override { return host_; }
    const std::string& name() const override { return name_; }
    const std::string& host_memory_name() const override { return name_; }
    const std::string& description() const override { return description_; }
    const std::string& id() const override { return id_; }
    enum ggml_backend_dev_type type() const override { return type_; }
    Capabilities capabilities() const override { return {}; }
    size_t alignment() const override { return alignment_; }
    size_t max_buffer_size() const override { return max_buffer_size_; }
    const std::vector<protocol::Feature>& features() const override { return features_; }

    Memory memory() override;
    bool supports_op(const ggml_tensor& node) override;
    bool offloads_op(const ggml_tensor& /*node*/) override { return false; }
    size_t alloc_size(const ggml_tensor& tensor) override;

    wire::Result<std::unique_ptr<Buffer>> allocate(size_t size) override;
    wire::Result<std::unique_ptr<Stream>> open_stream() override;

 private:
    wire::Result<void> ask();
    wire::Result<std::unique_ptr<Buffer>> share(size_t size);

    UpstreamHost& host_;
    std::string name_;
    std::string description_;
    std::string id_;
    std::vector<protocol::Feature> features_;
    enum ggml_backend_dev_type type_ = GGML_BACKEND_DEVICE_TYPE_GPU;
    uint64_t buffer_type_ = 0;
    size_t alignment_ = 64;
    size_t max_buffer_size_ = SIZE_MAX;
    AnswerMemo<bool> supported_;
    AnswerMemo<uint64_t> sizes_;
};

}  // namespace virtgpu::frontend
