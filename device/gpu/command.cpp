#include "device/gpu/command.h"

#include <algorithm>

#include "device/limits.h"
#include "wire/reader.h"

namespace virtgpu::gpu {

using wire::Fault;
using wire::Reader;
using wire::Result;

namespace {

constexpr size_t kContextNameBytes = 64;
constexpr size_t kPageRunBytes = 16;

template <typename WithResource>
Result<Command> decode_resource(Reader& reader) {
    return WithResource{TRY(reader.number<uint32_t>())};
}

Result<Command> decode_get_capset(Reader& reader) {
    GetCapset command;
    command.capset = TRY(reader.number<uint32_t>());
    command.version = TRY(reader.number<uint32_t>());
    return command;
}

// The name goes into the log: what a guest puts there must not break a line or a terminal.
std::string printable(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        const char letter = static_cast<char>(byte);
        text += letter >= ' ' && letter <= '~' ? letter : '?';
    }
    return text;
}

Result<Command> decode_context_create(Reader& reader) {
    ContextCreate command;
    const auto length = TRY(reader.number<uint32_t>());
    command.context_init = TRY(reader.number<uint32_t>());
    const auto name = TRY(reader.take(kContextNameBytes));
    command.name = printable(name.first(std::min<size_t>(length, kContextNameBytes)));
    return command;
}

Result<std::vector<PageRun>> decode_pages(Reader& reader, uint32_t entries) {
    if (entries > device::kMaxControlBytes / kPageRunBytes)
        return fail(Fault::kPeer, "a resource of {} page runs", entries);
    Reader runs(TRY(reader.take(size_t{entries} * kPageRunBytes)));
    std::vector<PageRun> pages(entries);
    for (PageRun& run : pages) {
        run.address = TRY(runs.number<uint64_t>());
        run.size = TRY(runs.number<uint32_t>());
        TRY(runs.number<uint32_t>());  // padding
    }
    return pages;
}

Result<Command> decode_attach_backing(Reader& reader) {
    AttachBacking command;
    command.resource = TRY(reader.number<uint32_t>());
    command.pages = TRY(decode_pages(reader, TRY(reader.number<uint32_t>())));
    return command;
}

Result<Command> decode_create_blob(Reader& reader) {
    ResourceCreateBlob command;
    command.resource = TRY(reader.number<uint32_t>());
    command.memory = TRY(reader.number<uint32_t>());
    command.flags = TRY(reader.number<uint32_t>());
    const auto entries = TRY(reader.number<uint32_t>());
    command.blob_id = TRY(reader.number<uint64_t>());
    command.size = TRY(reader.number<uint64_t>());
    command.pages = TRY(decode_pages(reader, entries));
    return command;
}

Result<Command> decode_map_blob(Reader& reader) {
    MapBlob command;
    command.resource = TRY(reader.number<uint32_t>());
    TRY(reader.number<uint32_t>());  // padding
    command.offset = TRY(reader.number<uint64_t>());
    return command;
}

Result<Command> decode_submit(Reader& reader) {
    const auto size = TRY(reader.number<uint32_t>());
    TRY(reader.number<uint32_t>());  // padding; the number of in-fences in later specifications
    return Submit3d{TRY(reader.take(size))};
}

}  // namespace

Result<Header> decode_header(std::span<const std::byte> bytes) {
    Reader reader(bytes);
    Header header;
    header.type = TRY(reader.number<uint32_t>());
    header.flags = TRY(reader.number<uint32_t>());
    header.fence = TRY(reader.number<uint64_t>());
    header.context = TRY(reader.number<uint32_t>());
    header.ring = TRY(reader.number<uint8_t>());
    TRY(reader.take(3));
    return header;
}

Result<Command> decode_command(const Header& header, std::span<const std::byte> bytes) {
    Reader reader(bytes);
    TRY(reader.take(Header::kSize));
    switch (static_cast<CommandType>(header.type)) {
        case CommandType::kGetDisplayInfo:
            return GetDisplayInfo{};
        case CommandType::kGetCapsetInfo:
            return GetCapsetInfo{TRY(reader.number<uint32_t>())};
        case CommandType::kGetCapset:
            return decode_get_capset(reader);
        case CommandType::kContextCreate:
            return decode_context_create(reader);
        case CommandType::kContextDestroy:
            return ContextDestroy{};
        case CommandType::kContextAttachResource:
            return decode_resource<ContextAttachResource>(reader);
        case CommandType::kContextDetachResource:
            return decode_resource<ContextDetachResource>(reader);
        case CommandType::kResourceCreate3d:
            return decode_resource<ResourceCreate3d>(reader);
        case CommandType::kAttachBacking:
            return decode_attach_backing(reader);
        case CommandType::kDetachBacking:
            return decode_resource<DetachBacking>(reader);
        case CommandType::kResourceCreateBlob:
            return decode_create_blob(reader);
        case CommandType::kResourceUnref:
            return decode_resource<ResourceUnref>(reader);
        case CommandType::kMapBlob:
            return decode_map_blob(reader);
        case CommandType::kUnmapBlob:
            return decode_resource<UnmapBlob>(reader);
        case CommandType::kSubmit3d:
            return decode_submit(reader);
        default:
            return UnknownCommand{header.type};
    }
}

}  // namespace virtgpu::gpu
