// What the host does for each level 2 command on one ring.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "backend/generated/dispatch.h"
#include "backend/graph_builder.h"
#include "backend/session.h"
#include "backend/stream.h"
#include "wire/host_ring.h"

namespace virtgpu::backend {

// For one thread at a time. Implemented over device_commands.cpp, buffer_commands.cpp,
// tensor_commands.cpp and graph_commands.cpp.
class Commands : public CommandHandler {
 public:
    Commands(std::shared_ptr<Session> session, uint32_t ring, int threads)
        : session_(std::move(session)), ring_(ring), threads_(threads) {}

    // Decodes the request, carries it out and encodes the reply. `stop` ends waiting; while
    // `abort` says so, what is computed need not be.
    Result<void> carry_out(const wire::Request& request, wire::Writer& reply, const StopAsked& stop,
                           const AbortAsked& abort) {
        stop_ = &stop;
        abort_ = &abort;
        return dispatch(*this, request.command, request.payload, reply);
    }
    // Whether the device still works on what was carried out, and until it does not.
    bool unfinished() const;
    void finish();

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
    Result<protocol::ShareBufferReply> DoShareBuffer(
        const protocol::ShareBufferRequest& request) override;
    Result<void> DoChangedBuffer(const protocol::ChangedBufferRequest& request) override;
    Result<void> DoFreeBuffer(const protocol::FreeBufferRequest& request) override;
    Result<void> DoClearBuffer(const protocol::ClearBufferRequest& request) override;
    Result<void> DoSetBufferUsage(const protocol::SetBufferUsageRequest& request) override;

    Result<void> DoInitTensor(const protocol::InitTensorRequest& request) override;
    Result<void> DoSetTensor(const protocol::SetTensorRequest& request) override;
    Result<void> DoGetTensor(const protocol::GetTensorRequest& request) override;
    Result<void> DoMemsetTensor(const protocol::MemsetTensorRequest& request) override;
    Result<void> DoCopyTensor(const protocol::CopyTensorRequest& request) override;

    Result<protocol::OpenStreamReply> DoOpenStream(
        const protocol::OpenStreamRequest& request) override;
    Result<void> DoSetThreads(const protocol::SetThreadsRequest& request) override;
    Result<protocol::OptimizeGraphReply> DoOptimizeGraph(
        const protocol::OptimizeGraphRequest& request) override;
    Result<void> DoDefineGraph(const protocol::DefineGraphRequest& request) override;
    Result<void> DoEditGraph(const protocol::EditGraphRequest& request) override;
    Result<void> DoRunGraph(const protocol::RunGraphRequest& request) override;
    Result<void> DoDropGraph(const protocol::DropGraphRequest& request) override;
    Result<void> DoAwaitRing(const protocol::AwaitRingRequest& request) override;

    // Fault::kPeer before OPEN_STREAM.
    Result<Stream*> stream() const;

 private:
    // A device for one of the commands after HELLO.
    Result<ggml_backend_dev_t> device(uint32_t position) const;
    // What a guest is told of a device; positions are the catalogue's.
    protocol::DeviceInfo describe(uint32_t position) const;
    // A node description, rebuilt without data. Valid until the next.
    Result<ggml_tensor*> build_node(const std::vector<protocol::GraphTensor>& tensors);
    // A tensor of which bytes offset+size are to be read or written. Valid until the next.
    Result<ggml_tensor*> build_range(const protocol::TensorData& tensor, uint64_t offset,
                                     uint64_t size, HeldBuffers& buffers);
    Result<wire::BulkData> bulk(const protocol::RegionSpan& span);
    // What carries a buffer's bytes in the background; null where transfers are done at once.
    Stream* carrier_of(const Buffer& buffer);
    // What SET_TENSOR and GET_TENSOR name.
    struct Transfer {
        ggml_tensor* tensor;
        wire::BulkData data;
        Stream::Held held;  // what must stay until a stream has done it
    };
    template <typename Request>
    Result<Transfer> transfer(const Request& request, HeldBuffers& buffers);
    Result<void> until_run(Result<void> taken);
    // The span's bytes, copied out once. Valid until the next.
    Result<std::span<const std::byte>> copy_encoded(const protocol::RegionSpan& span);

    std::shared_ptr<Session> session_;
    const uint32_t ring_;
    const int threads_;
    std::unique_ptr<Stream> stream_;
    // Of a ring that is no stream, so that many transfers are waited for once. Null for a device
    // without any.
    std::map<ggml_backend_dev_t, std::unique_ptr<Stream>> carriers_;
    GraphBuilder builder_;
    std::vector<std::byte> encoded_;
    std::shared_ptr<wire::Region> bulk_region_;
    const StopAsked* stop_ = nullptr;
    const AbortAsked* abort_ = nullptr;
};

}  // namespace virtgpu::backend
