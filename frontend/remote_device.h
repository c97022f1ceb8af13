#pragma once

#include <ggml-backend.h>

#include <memory>
#include <string>

#include "frontend/answer_memo.h"
#include "frontend/connection.h"
#include "frontend/remote_buffer.h"
#include "frontend/remote_stream.h"

namespace virtgpu::frontend {

// A device of a host that speaks level 2.
class RemoteDevice : public Device {
 public:
    // `index` is the position in the host's list, `name` ggml's name for the device here.
    RemoteDevice(Connection& connection, uint32_t index, std::string name);

    Connection& connection() override { return connection_; }
    const std::string& name() const override { return name_; }
    const std::string& host_memory_name() const override { return host_memory_name_; }
    const std::string& description() const override { return description_; }
    const std::string& id() const override { return id_; }
    enum ggml_backend_dev_type type() const override;
    Capabilities capabilities() const override { return {true, true, true}; }
    size_t alignment() const override { return info_.buffer_type.alignment; }
    size_t max_buffer_size() const override { return info_.buffer_type.max_size; }
    bool copies_weights() const { return info_.copies_weights; }
    const std::vector<protocol::Feature>& features() const override { return info_.features; }

    Memory memory() override;
    bool supports_op(const ggml_tensor& node) override;
    bool offloads_op(const ggml_tensor& node) override;
    size_t alloc_size(const ggml_tensor& tensor) override;

    wire::Result<std::unique_ptr<Buffer>> allocate(size_t size) override;
    wire::Result<std::unique_ptr<Stream>> open_stream() override;

 private:
    wire::Result<std::unique_ptr<Buffer>> share(size_t size);

    Connection& connection_;
    uint32_t index_;
    const protocol::DeviceInfo& info_;
    std::string name_;
    std::string host_memory_name_;
    std::string description_;
    std::string id_;
    AnswerMemo<bool> supported_;
    AnswerMemo<bool> offloaded_;
    AnswerMemo<uint64_t> sizes_;
};

}  // namespace virtgpu::frontend
