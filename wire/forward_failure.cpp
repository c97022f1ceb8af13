#include "wire/forward_failure.h"

#include "wire/generated/codec.h"

namespace virtgpu::wire {

namespace {

constexpr const char* kGone = "unavailable";
// Any that no host has: the guest subtracts it again.
constexpr uint64_t kBase = uint64_t{1} << 44;

}  // namespace

Result<void> encode_failure(uint32_t command, Writer& reply) {
    using protocol::ForwardCommand;
    switch (static_cast<ForwardCommand>(command)) {
        case ForwardCommand::kDeviceGetDeviceCount:
            return encode(reply, protocol::ForwardDeviceGetDeviceCountReply{});
        case ForwardCommand::kDeviceGetCount:
            return encode(reply, protocol::ForwardDeviceGetCountReply{});
        case ForwardCommand::kDeviceGetName:
            return encode(reply, protocol::ForwardDeviceGetNameReply{kGone});
        case ForwardCommand::kDeviceGetDescription:
            return encode(reply, protocol::ForwardDeviceGetDescriptionReply{kGone});
        case ForwardCommand::kDeviceGetType:
            return encode(reply, protocol::ForwardDeviceGetTypeReply{protocol::DeviceType::kGpu});
        case ForwardCommand::kDeviceGetMemory:
            return encode(reply, protocol::ForwardDeviceGetMemoryReply{});
        case ForwardCommand::kDeviceSupportsOp:
            return encode(reply, protocol::ForwardDeviceSupportsOpReply{});
        case ForwardCommand::kDeviceGetBufferType:
            return encode(reply, protocol::ForwardDeviceGetBufferTypeReply{kBufferType});
        case ForwardCommand::kDeviceGetProps:
            return encode(reply, protocol::ForwardDeviceGetPropsReply{});
        case ForwardCommand::kDeviceBufferFromPtr:
            return encode(reply, protocol::ForwardDeviceBufferFromPtrReply{kBufferWithoutMemory,
                                                                           kBufferType});
        case ForwardCommand::kBufferTypeGetName:
            return encode(reply, protocol::ForwardBufferTypeGetNameReply{kGone});
        case ForwardCommand::kBufferTypeGetAlignment:
            return encode(reply, protocol::ForwardBufferTypeGetAlignmentReply{64});
        case ForwardCommand::kBufferTypeGetMaxSize:
            return encode(reply, protocol::ForwardBufferTypeGetMaxSizeReply{UINT64_MAX});
        case ForwardCommand::kBufferTypeIsHost:
            return encode(reply, protocol::ForwardBufferTypeIsHostReply{});
        case ForwardCommand::kBufferTypeAllocBuffer:
            return encode(reply, protocol::ForwardBufferTypeAllocBufferReply{kBufferWithoutMemory});
        case ForwardCommand::kBufferTypeGetAllocSize:
            return encode(reply, protocol::ForwardBufferTypeGetAllocSizeReply{});
        case ForwardCommand::kBufferGetBase:
            return encode(reply, protocol::ForwardBufferGetBaseReply{kBase});
        case ForwardCommand::kBufferCpyTensor:
            return encode(reply, protocol::ForwardBufferCpyTensorReply{});
        case ForwardCommand::kBackendGraphCompute:
            return encode(
                reply, protocol::ForwardBackendGraphComputeReply{protocol::GraphStatus::kFailed});
        case ForwardCommand::kBufferSetTensor:
        case ForwardCommand::kBufferGetTensor:
        case ForwardCommand::kBufferClear:
        case ForwardCommand::kBufferFreeBuffer:
            return {};
    }
    return fail(Fault::kRefused, "FORWARD {} is none of upstream's", command);
}

}  // namespace virtgpu::wire
