#include <cstring>

#include "backend/apir/forward_commands.h"
#include "backend/apir/forward_graph.h"
#include "backend/apir/forward_handles.h"
#include "wire/forward_failure.h"

namespace virtgpu::backend {

namespace {

using wire::kBufferWithoutMemory;

constexpr uint32_t kDevice = 0;

}  // namespace

Result<protocol::ForwardDeviceBufferFromPtrReply> ForwardCommands::DoDeviceBufferFromPtr(
    const protocol::ForwardDeviceBufferFromPtrRequest& request) {
    const auto shared = commands_.DoShareBuffer({kDevice, {request.region, 0, request.size}});
    if (!shared)
        complaints_.add("no buffer of a region", shared.error());
    return protocol::ForwardDeviceBufferFromPtrReply{
        shared ? word_of(shared->buffer) : kBufferWithoutMemory, wire::kBufferType};
}

Result<protocol::ForwardBufferTypeAllocBufferReply> ForwardCommands::DoBufferTypeAllocBuffer(
    const protocol::ForwardBufferTypeAllocBufferRequest& request) {
    uint64_t size = 0;
    if (__builtin_add_overflow(request.size, padding_.behind_buffers(), &size))
        size = UINT64_MAX;
    give_way_to(size);
    const auto allocated = commands_.DoAllocBuffer({kDevice, size});
    if (!allocated)
        complaints_.add("no buffer", allocated.error());
    return protocol::ForwardBufferTypeAllocBufferReply{allocated ? word_of(allocated->buffer)
                                                                 : kBufferWithoutMemory};
}

Result<protocol::ForwardBufferGetBaseReply> ForwardCommands::DoBufferGetBase(
    const protocol::ForwardBufferGetBaseRequest& request) {
    // A quarter of the address space behind each, and none of it the host's.
    constexpr unsigned kShift = 44;
    const protocol::Handle buffer = handle_of(request.buffer);
    const uint64_t number = request.buffer == kBufferWithoutMemory ? 0 : uint64_t{buffer.index} + 1;
    if (number != 0)
        TRY(session_->buffers().find(buffer));
    return protocol::ForwardBufferGetBaseReply{(number + 1) << kShift};
}

Result<void> ForwardCommands::without_reply(const Result<void>& outcome) {
    commands_.finish();
    if (outcome || outcome.error().fault() == Fault::kPeer)
        return outcome;
    complaints_.add("what it computes from now on fails", outcome.error());
    data_is_missing_ = true;
    return {};
}

Result<void> ForwardCommands::DoBufferSetTensor(
    const protocol::ForwardBufferSetTensorRequest& request) {
    if (request.buffer == kBufferWithoutMemory)
        return {};
    const auto vocabulary = TRY(session_->vocabulary());
    return without_reply(
        commands_.DoSetTensor({data_of(request.tensor, request.buffer, *vocabulary),
                               request.offset,
                               {request.region, 0, request.size}}));
}

Result<void> ForwardCommands::DoBufferGetTensor(
    const protocol::ForwardBufferGetTensorRequest& request) {
    const auto vocabulary = TRY(session_->vocabulary());
    if (request.buffer == kBufferWithoutMemory) {
        const auto region = TRY(session_->region(request.region));
        const wire::BulkData data = TRY(region->bulk(0, request.size));
        std::memset(data.data(), 0, data.size());
        return {};
    }
    return without_reply(
        commands_.DoGetTensor({data_of(request.tensor, request.buffer, *vocabulary),
                               request.offset,
                               {request.region, 0, request.size}}));
}

Result<protocol::ForwardBufferCpyTensorReply> ForwardCommands::DoBufferCpyTensor(
    const protocol::ForwardBufferCpyTensorRequest& request) {
    const auto vocabulary = TRY(session_->vocabulary());
    // The source may be a buffer of another backend of the guest, whose handle is then anything.
    const auto copied =
        commands_.DoCopyTensor({data_of(request.source, 0, *vocabulary),
                                data_of(request.destination, request.buffer, *vocabulary)});
    commands_.finish();
    return protocol::ForwardBufferCpyTensorReply{copied.has_value()};
}

Result<void> ForwardCommands::DoBufferClear(const protocol::ForwardBufferClearRequest& request) {
    if (request.buffer == kBufferWithoutMemory)
        return {};
    return without_reply(commands_.DoClearBuffer({handle_of(request.buffer), request.value}));
}

Result<void> ForwardCommands::DoBufferFreeBuffer(
    const protocol::ForwardBufferFreeBufferRequest& request) {
    if (request.buffer == kBufferWithoutMemory)
        return {};
    return without_reply(commands_.DoFreeBuffer({handle_of(request.buffer)}));
}

}  // namespace virtgpu::backend
