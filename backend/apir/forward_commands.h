// What the host does for each of upstream's level 1 commands.
#pragma once

#include <atomic>
#include <memory>

#include "backend/apir/complaints.h"
#include "backend/apir/graph_contents.h"
#include "backend/apir/padded_results.h"
#include "backend/commands.h"
#include "backend/generated/forward_dispatch.h"

namespace virtgpu::backend {

// The session's first device and one stream of it, by way of the commands of level 2. Failures that
// upstream's frontend would not survive become replies that it does (wire/forward_failure.h). For
// one thread at a time. Implemented over forward_device_commands.cpp, forward_buffer_commands.cpp
// and forward_graph_commands.cpp.
class ForwardCommands : public ForwardHandler {
 public:
    // Opens the stream, which may take its time. Keeps a reference to the complaints. Fault::kPeer
    // for a context that speaks level 2, kRefused when the device does not start.
    static Result<std::unique_ptr<ForwardCommands>> open(std::shared_ptr<Session> session,
                                                         int threads, Complaints& complaints);

    // Bytes of regions that the guest may still make.
    void set_room(uint64_t bytes) { room_ = bytes; }
    // From any thread: what is being computed is broken off.
    void stop() { stopping_ = true; }

    Result<protocol::ForwardDeviceGetDeviceCountReply> DoDeviceGetDeviceCount() override;
    Result<protocol::ForwardDeviceGetCountReply> DoDeviceGetCount() override;
    Result<protocol::ForwardDeviceGetNameReply> DoDeviceGetName() override;
    Result<protocol::ForwardDeviceGetDescriptionReply> DoDeviceGetDescription() override;
    Result<protocol::ForwardDeviceGetTypeReply> DoDeviceGetType() override;
    Result<protocol::ForwardDeviceGetMemoryReply> DoDeviceGetMemory() override;
    Result<protocol::ForwardDeviceSupportsOpReply> DoDeviceSupportsOp(
        const protocol::ForwardDeviceSupportsOpRequest& request) override;
    Result<protocol::ForwardDeviceGetBufferTypeReply> DoDeviceGetBufferType() override;
    Result<protocol::ForwardDeviceGetPropsReply> DoDeviceGetProps() override;
    Result<protocol::ForwardDeviceBufferFromPtrReply> DoDeviceBufferFromPtr(
        const protocol::ForwardDeviceBufferFromPtrRequest& request) override;

    Result<protocol::ForwardBufferTypeGetNameReply> DoBufferTypeGetName(
        const protocol::ForwardBufferTypeGetNameRequest& request) override;
    Result<protocol::ForwardBufferTypeGetAlignmentReply> DoBufferTypeGetAlignment(
        const protocol::ForwardBufferTypeGetAlignmentRequest& request) override;
    Result<protocol::ForwardBufferTypeGetMaxSizeReply> DoBufferTypeGetMaxSize(
        const protocol::ForwardBufferTypeGetMaxSizeRequest& request) override;
    Result<protocol::ForwardBufferTypeIsHostReply> DoBufferTypeIsHost(
        const protocol::ForwardBufferTypeIsHostRequest& request) override;
    Result<protocol::ForwardBufferTypeAllocBufferReply> DoBufferTypeAllocBuffer(
        const protocol::ForwardBufferTypeAllocBufferRequest& request) override;
    Result<protocol::ForwardBufferTypeGetAllocSizeReply> DoBufferTypeGetAllocSize(
        const protocol::ForwardBufferTypeGetAllocSizeRequest& request) override;

    Result<protocol::ForwardBufferGetBaseReply> DoBufferGetBase(
        const protocol::ForwardBufferGetBaseRequest& request) override;
    Result<void> DoBufferSetTensor(const protocol::ForwardBufferSetTensorRequest& request) override;
    Result<void> DoBufferGetTensor(const protocol::ForwardBufferGetTensorRequest& request) override;
    Result<protocol::ForwardBufferCpyTensorReply> DoBufferCpyTensor(
        const protocol::ForwardBufferCpyTensorRequest& request) override;
    Result<void> DoBufferClear(const protocol::ForwardBufferClearRequest& request) override;
    Result<void> DoBufferFreeBuffer(
        const protocol::ForwardBufferFreeBufferRequest& request) override;

    Result<protocol::ForwardBackendGraphComputeReply> DoBackendGraphCompute(
        const protocol::ForwardBackendGraphComputeRequest& request) override;

 private:
    ForwardCommands(std::shared_ptr<Session> session, ggml_backend_dev_t device, int threads,
                    Complaints& complaints);

    Result<protocol::GraphStatus> compute(
        const protocol::ForwardBackendGraphComputeRequest& request);
    Result<std::span<const std::byte>> copy_graph(
        const protocol::ForwardBackendGraphComputeRequest& request);
    // The number of the stream's graph that these bytes describe, made when it is new.
    Result<uint32_t> known_graph(std::span<const std::byte> encoded,
                                 const protocol::ForwardGraph& decoded);
    Result<void> put_into_better_order(protocol::Graph& graph);
    Result<void> run(uint32_t number);
    void forget(uint32_t number);
    bool forget_oldest();
    // Known graphs are only faster: the oldest go while there are not so many bytes left.
    void give_way_to(uint64_t bytes);
    // A refused request that has no reply: what is computed from now on would be wrong.
    Result<void> without_reply(const Result<void>& outcome);

    const std::shared_ptr<Session> session_;
    ggml_backend_dev_t const device_;
    Complaints& complaints_;
    Commands commands_;
    PaddedResults padding_;
    GraphContents contents_;
    uint32_t next_graph_ = 1;
    CountedBytes encoded_;
    uint64_t room_ = UINT64_MAX;
    uint64_t largest_buffer_ = protocol::kMaxRegionBytes;
    bool data_is_missing_ = false;
    std::atomic<bool> stopping_{false};
};

}  // namespace virtgpu::backend
