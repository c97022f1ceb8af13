#include <algorithm>

#include "backend/apir/forward_commands.h"
#include "backend/apir/forward_graph.h"
#include "backend/apir/forward_vocabulary.h"
#include "wire/forward_failure.h"

namespace virtgpu::backend {

namespace {

constexpr uint32_t kDevice = 0;  // of the catalogue
constexpr uint32_t kStream = 1;  // any but ring 0, which cannot be one
// What a region is rounded up to by upstream's frontend.
constexpr uint64_t kGranule = 16384;
// Regions that are not buffers: the reply page, the data, and some transfers of single tensors.
constexpr uint64_t kOtherRegions = uint64_t{64} << 20;

}  // namespace

Result<std::unique_ptr<ForwardCommands>> ForwardCommands::open(std::shared_ptr<Session> session,
                                                               int threads,
                                                               Complaints& complaints) {
    ggml_backend_dev_t const device = TRY(session->catalogue().device(kDevice));
    TRY(session->agree(TRY(forward_vocabulary(session->catalogue().vocabulary()))));
    session->log().info("context {}: a frontend of upstream's uses {}", session->context(),
                        ggml_backend_dev_name(device));
    std::unique_ptr<ForwardCommands> commands(
        new ForwardCommands(std::move(session), device, threads, complaints));
    TRY(commands->commands_.DoOpenStream({kDevice}));
    return commands;
}

ForwardCommands::ForwardCommands(std::shared_ptr<Session> session, ggml_backend_dev_t device,
                                 int threads, Complaints& complaints)
    : session_(std::move(session)),
      device_(device),
      complaints_(complaints),
      commands_(session_, kStream, threads),
      padding_(*session_, device),
      contents_(session_->memory()),
      encoded_(session_->memory()) {}

Result<protocol::ForwardDeviceGetDeviceCountReply> ForwardCommands::DoDeviceGetDeviceCount() {
    return protocol::ForwardDeviceGetDeviceCountReply{1};
}

Result<protocol::ForwardDeviceGetCountReply> ForwardCommands::DoDeviceGetCount() {
    return protocol::ForwardDeviceGetCountReply{1};
}

Result<protocol::ForwardDeviceGetNameReply> ForwardCommands::DoDeviceGetName() {
    return protocol::ForwardDeviceGetNameReply{session_->catalogue().describe(kDevice).name};
}

Result<protocol::ForwardDeviceGetDescriptionReply> ForwardCommands::DoDeviceGetDescription() {
    return protocol::ForwardDeviceGetDescriptionReply{
        session_->catalogue().describe(kDevice).description};
}

Result<protocol::ForwardDeviceGetTypeReply> ForwardCommands::DoDeviceGetType() {
    const protocol::DeviceType type = session_->catalogue().describe(kDevice).type;
    const bool integrated = type == protocol::DeviceType::kIgpu;
    return protocol::ForwardDeviceGetTypeReply{integrated ? type : protocol::DeviceType::kGpu};
}

Result<protocol::ForwardDeviceGetMemoryReply> ForwardCommands::DoDeviceGetMemory() {
    const auto memory = TRY(commands_.DoGetDeviceMemory({kDevice}));
    return protocol::ForwardDeviceGetMemoryReply{memory.memory_free, memory.memory_total};
}

Result<protocol::ForwardDeviceSupportsOpReply> ForwardCommands::DoDeviceSupportsOp(
    const protocol::ForwardDeviceSupportsOpRequest& request) {
    const auto answer = commands_.DoSupportsOp({kDevice, bundle_of(request.node)});
    return protocol::ForwardDeviceSupportsOpReply{answer && answer->supported};
}

Result<protocol::ForwardDeviceGetBufferTypeReply> ForwardCommands::DoDeviceGetBufferType() {
    return protocol::ForwardDeviceGetBufferTypeReply{wire::kBufferType};
}

Result<protocol::ForwardDeviceGetPropsReply> ForwardCommands::DoDeviceGetProps() {
    protocol::ForwardDeviceGetPropsReply reply;
    // The guest is about to allocate a buffer and does not say of what size. A region that cannot
    // be made would be its end.
    reply.buffer_from_host_ptr = Buffer::can_share(device_) && room_ >= kOtherRegions &&
                                 room_ - kOtherRegions >= largest_buffer_;
    return reply;
}

Result<protocol::ForwardBufferTypeGetNameReply> ForwardCommands::DoBufferTypeGetName(
    const protocol::ForwardBufferTypeGetNameRequest& /*request*/) {
    return protocol::ForwardBufferTypeGetNameReply{
        session_->catalogue().describe(kDevice).buffer_type.name};
}

Result<protocol::ForwardBufferTypeGetAlignmentReply> ForwardCommands::DoBufferTypeGetAlignment(
    const protocol::ForwardBufferTypeGetAlignmentRequest& /*request*/) {
    return protocol::ForwardBufferTypeGetAlignmentReply{
        ggml_backend_buft_get_alignment(ggml_backend_dev_buffer_type(device_))};
}

Result<protocol::ForwardBufferTypeGetMaxSizeReply> ForwardCommands::DoBufferTypeGetMaxSize(
    const protocol::ForwardBufferTypeGetMaxSizeRequest& /*request*/) {
    uint64_t size = ggml_backend_buft_get_max_size(ggml_backend_dev_buffer_type(device_));
    // Where buffers are regions, several fit better into what room there is than one.
    if (Buffer::can_share(device_)) {
        const uint64_t half = std::max(room_ / 2 / kGranule * kGranule, kGranule);
        size = std::min({size, uint64_t{protocol::kMaxRegionBytes}, half});
        largest_buffer_ = size;
    }
    return protocol::ForwardBufferTypeGetMaxSizeReply{size};
}

Result<protocol::ForwardBufferTypeIsHostReply> ForwardCommands::DoBufferTypeIsHost(
    const protocol::ForwardBufferTypeIsHostRequest& /*request*/) {
    return protocol::ForwardBufferTypeIsHostReply{false};
}

Result<protocol::ForwardBufferTypeGetAllocSizeReply> ForwardCommands::DoBufferTypeGetAllocSize(
    const protocol::ForwardBufferTypeGetAllocSizeRequest& request) {
    const auto answer = TRY(commands_.DoGetAllocSize({kDevice, bundle_of(request.node)}));
    return protocol::ForwardBufferTypeGetAllocSizeReply{answer.size};
}

}  // namespace virtgpu::backend
