#include "device/gpu/response.h"

#include <initializer_list>

#include "protocol/generated/structures.h"
#include "wire/writer.h"

namespace virtgpu::gpu {

using wire::Writer;

namespace {

std::vector<std::byte> bytes_of(const Writer& writer) {
    return {writer.bytes().begin(), writer.bytes().end()};
}

std::vector<std::byte> words(std::initializer_list<uint32_t> values) {
    Writer writer;
    for (const uint32_t value : values)
        writer.number(value);
    return bytes_of(writer);
}

}  // namespace

std::vector<std::byte> encode_response(const Header& header, const Response& response) {
    Writer writer;
    const bool fenced = header.fenced();
    writer.number(static_cast<uint32_t>(response.type));
    writer.number(fenced ? header.flags & (kFlagFence | kFlagRingIndex) : 0U);
    writer.number(fenced ? header.fence : uint64_t{0});
    writer.number(fenced ? header.context : 0U);
    writer.number(fenced ? uint32_t{header.ring} : 0U);  // with its three bytes of padding
    auto bytes = bytes_of(writer);
    bytes.insert(bytes.end(), response.payload.begin(), response.payload.end());
    return bytes;
}

std::vector<std::byte> encode_no_displays() {
    return std::vector<std::byte>(kMaxScanouts * kDisplayBytes);
}

std::vector<std::byte> encode_capset_info(uint32_t capset, uint32_t version, uint32_t size) {
    return words({capset, version, size, 0});
}

std::vector<std::byte> encode_map_info() {
    return words({kMapCacheCached, 0});
}

std::vector<std::byte> encode_capset() {
    constexpr uint32_t kLevel1Version = 1;
    constexpr uint32_t kBlobsSupported = 1;
    return words({kLevel1Version, kBlobsSupported, protocol::kCapsetMagic, 0, 0, 0});
}

}  // namespace virtgpu::gpu
