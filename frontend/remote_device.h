#pragma once

#include <ggml-backend.h>

#include <memory>
#include <string>

#include "frontend/answer_memo.h"
#include "frontend/connection.h"
#include "frontend/remote_buffer.h"
#include "frontend/remote_stream.h"

namespace virtgpu::frontend {

// A device of the host, as this process' ggml sees it. Thread safe. Answers that ggml takes without
// a way to say "failed" are such that a lost connection shows in the next computation or
// allocation.
class RemoteDevice {
 public:
    struct Memory {
        size_t free = 0;
        size_t total = 0;
    };

    // `index` is the position in the host's list, `name` ggml's name for the device here.
    RemoteDevice(Connection& connection, uint32_t index, std::string name);

    Connection& connection() { return connection_; }
    const std::string& name() const { return name_; }
    // Of the memory on this side that its transfers need no copy for.
    const std::string& host_memory_name() const { return host_memory_name_; }
    const std::string& description() const { return description_; }
    const std::string& id() const { return id_; }
    enum ggml_backend_dev_type type() const;
    size_t alignment() const { return info_.buffer_type.alignment; }
    size_t max_buffer_size() const { return info_.buffer_type.max_size; }
    bool copies_weights() const { return info_.copies_weights; }
    const std::vector<protocol::Feature>& features() const { return info_.features; }

    Memory memory();
    bool supports_op(const ggml_tensor& node);
    bool offloads_op(const ggml_tensor& node);
    // Bytes that the tensor needs in a buffer of this device, at least ggml_nbytes.
    size_t alloc_size(const ggml_tensor& tensor);

    wire::Result<std::unique_ptr<RemoteBuffer>> allocate(size_t size);
    wire::Result<std::unique_ptr<RemoteStream>> open_stream();

 private:
    wire::Result<std::unique_ptr<RemoteBuffer>> share(size_t size);

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
