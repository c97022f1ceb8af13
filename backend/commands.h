// What the host does for each level 2 command on one ring.
#pragma once

#include <memory>
#include <vector>

#include "backend/generated/dispatch.h"
#include "backend/graph_builder.h"
#include "backend/session.h"
#include "backend/stream.h"

namespace virtgpu::backend {

// For one thread, that of the ring. Implemented over device_commands.cpp, buffer_commands.cpp,
// tensor_commands.cpp and graph_commands.cpp.
class Commands : public CommandHandler {
 public:
    Commands(std::shared_ptr<Session> session, uint32_t ring, int threads)
        : session_(std::move(session)), ring_(ring), threads_(threads) {}

    Result<protocol::HelloReply> DoHello(const protocol::HelloRequest& request) override;
    Result<protocol::GetDeviceMemoryReply> DoGetDeviceMemory(
        const protocol::GetDeviceMemoryRequest& request) override;
    Result<protocol::SupportsOpReply> DoSupportsOp(
        const protocol::SupportsOpRequest& request) override;
    Result<protocol::OffloadsOpReply> DoOffloadsOp(
        const protocol::OffloadsOpRequest& request) override;
    Result<protocol::GetAllocSizeReply> DoGetAllocSize(
        const protocol::GetAllocSizeRequest& request) override;

    Result<protocol::AllocBufferReply> DoAllocBuffer(
        const protocol::AllocBufferRequest& request) override;
    Result<void> DoFreeBuffer(const protocol::FreeBufferRequest& request) override;
    Result<void> DoClearBuffer(const protocol::ClearBufferRequest& request) override;
    Result<void> DoSetBufferUsage(const protocol::SetBufferUsageRequest& request) override;

    Result<void> DoInitTensor(const protocol::InitTensorRequest& request) override;
    Result<void> DoSetTensor(const protocol::SetTensorRequest& request) override;
    Result<void> DoGetTensor(const protocol::GetTensorRequest& request) override;
    Result<void> DoMemsetTensor(const protocol::MemsetTensorRequest& request) override;
    Result<protocol::CopyTensorReply> DoCopyTensor(
        const protocol::CopyTensorRequest& request) override;

    Result<void> DoOpenStream(const protocol::OpenStreamRequest& request) override;
    Result<protocol::ComputeGraphReply> DoComputeGraph(
        const protocol::ComputeGraphRequest& request) override;

 private:
    // A device for one of the commands after HELLO.
    Result<ggml_backend_dev_t> device(uint32_t position) const;
    // A node description, rebuilt without data. Valid until the next.
    Result<ggml_tensor*> build_node(const std::vector<protocol::GraphTensor>& tensors);
    // A tensor of which bytes offset+size are to be read or written. Valid until the next.
    Result<ggml_tensor*> build_range(const protocol::Tensor& tensor, uint64_t offset, uint64_t size,
                                     HeldBuffers& buffers);
    Result<protocol::Graph> copy_graph(const protocol::RegionSpan& span);

    std::shared_ptr<Session> session_;
    const uint32_t ring_;
    const int threads_;
    std::unique_ptr<Stream> stream_;
    GraphBuilder builder_;
    std::vector<std::byte> encoded_graph_;
};

}  // namespace virtgpu::backend
