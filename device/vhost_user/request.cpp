#include "device/vhost_user/request.h"

#include <utility>

#include "wire/reader.h"

namespace virtgpu::vhost_user {

using wire::Fault;
using wire::Reader;

namespace {

struct VringState {
    uint32_t vring = 0;
    uint32_t number = 0;
};

Result<uint32_t> check_vring(uint32_t vring) {
    if (vring >= kQueues)
        return fail(Fault::kPeer, "vring {} of {}", vring, kQueues);
    return vring;
}

Result<VringState> decode_vring_state(Reader& reader) {
    const auto vring = TRY(check_vring(TRY(reader.number<uint32_t>())));
    return VringState{vring, TRY(reader.number<uint32_t>())};
}

Result<Request> decode_vring_address(Reader& reader) {
    SetVringAddress request;
    request.vring = TRY(check_vring(TRY(reader.number<uint32_t>())));
    TRY(reader.number<uint32_t>());  // flags: logging, which is not offered
    request.descriptors = TRY(reader.number<uint64_t>());
    request.used = TRY(reader.number<uint64_t>());
    request.available = TRY(reader.number<uint64_t>());
    TRY(reader.number<uint64_t>());  // address of the log
    return request;
}

Result<FileDescriptor> only_file(std::vector<FileDescriptor>& files) {
    if (files.size() != 1)
        return fail(Fault::kPeer, "{} descriptors instead of one", files.size());
    return std::move(files.front());
}

template <typename SetVringFile>
Result<Request> decode_vring_file(Reader& reader, std::vector<FileDescriptor>& files) {
    constexpr uint64_t kVringMask = 0xff;
    constexpr uint64_t kNoFile = 0x100;
    const auto word = TRY(reader.number<uint64_t>());
    SetVringFile request;
    request.vring = TRY(check_vring(static_cast<uint32_t>(word & kVringMask)));
    if ((word & kNoFile) == 0)
        request.file = TRY(only_file(files));
    return request;
}

Result<virtio::MemoryRange> decode_range(Reader& reader) {
    virtio::MemoryRange range;
    range.guest_address = TRY(reader.number<uint64_t>());
    range.size = TRY(reader.number<uint64_t>());
    range.vmm_address = TRY(reader.number<uint64_t>());
    range.file_offset = TRY(reader.number<uint64_t>());
    return range;
}

Result<Request> decode_memory_table(Reader& reader, std::vector<FileDescriptor>& files) {
    const auto count = TRY(reader.number<uint32_t>());
    TRY(reader.number<uint32_t>());  // padding
    if (count > kMaxRegionsInTable || count != files.size())
        return fail(Fault::kPeer, "{} memory regions with {} descriptors", count, files.size());
    SetMemoryTable request;
    for (uint32_t i = 0; i < count; ++i)
        request.regions.push_back({TRY(decode_range(reader)), std::move(files.at(i))});
    return request;
}

Result<Request> decode_get_config(Reader& reader) {
    GetConfig request;
    request.offset = TRY(reader.number<uint32_t>());
    request.size = TRY(reader.number<uint32_t>());
    request.flags = TRY(reader.number<uint32_t>());
    if (request.size > kMaxConfigBytes)
        return fail(Fault::kPeer, "{} bytes of configuration", request.size);
    TRY(reader.take(request.size));  // where the answer's bytes will be
    return request;
}

Result<Request> decode_enable(Reader& reader) {
    const auto state = TRY(decode_vring_state(reader));
    return SetVringEnable{state.vring, state.number != 0};
}

Result<Request> decode_fields(uint32_t type, Reader& reader, std::vector<FileDescriptor>& files) {
    switch (static_cast<RequestType>(type)) {
        case RequestType::kGetFeatures:
            return GetFeatures{};
        case RequestType::kSetFeatures:
            return SetFeatures{TRY(reader.number<uint64_t>())};
        case RequestType::kSetOwner:
        case RequestType::kResetOwner:
            return SetOwner{};
        case RequestType::kSetMemoryTable:
            return decode_memory_table(reader, files);
        case RequestType::kSetVringSize: {
            const auto state = TRY(decode_vring_state(reader));
            return SetVringSize{state.vring, state.number};
        }
        case RequestType::kSetVringAddress:
            return decode_vring_address(reader);
        case RequestType::kSetVringBase: {
            const auto state = TRY(decode_vring_state(reader));
            return SetVringBase{state.vring, state.number};
        }
        case RequestType::kGetVringBase:
            return GetVringBase{TRY(decode_vring_state(reader)).vring};
        case RequestType::kSetVringKick:
            return decode_vring_file<SetVringKick>(reader, files);
        case RequestType::kSetVringCall:
            return decode_vring_file<SetVringCall>(reader, files);
        case RequestType::kSetVringError:
            return decode_vring_file<SetVringError>(reader, files);
        case RequestType::kGetProtocolFeatures:
            return GetProtocolFeatures{};
        case RequestType::kSetProtocolFeatures:
            return SetProtocolFeatures{TRY(reader.number<uint64_t>())};
        case RequestType::kGetQueueCount:
            return GetQueueCount{};
        case RequestType::kSetVringEnable:
            return decode_enable(reader);
        case RequestType::kSetBackendChannel:
            return SetBackendChannel{TRY(only_file(files))};
        case RequestType::kGetConfig:
            return decode_get_config(reader);
        case RequestType::kSetConfig:
            return SetConfig{};
        case RequestType::kGpuSetSocket:
            return GpuSetSocket{TRY(only_file(files))};
        case RequestType::kResetDevice:
            return ResetDevice{};
        case RequestType::kGetSharedMemoryConfig:
            return GetSharedMemoryConfig{};
        default:
            return UnknownRequest{type};
    }
}

}  // namespace

Result<Request> decode_request(Message message) {
    Reader reader(message.payload);
    return decode_fields(message.request, reader, message.files);
}

}  // namespace virtgpu::vhost_user
