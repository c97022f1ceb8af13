// Level 1 and 2: every structure and message that is decoded. What decodes survives the round trip.
#include <cstddef>
#include <cstdint>
#include <utility>

#include "tests/fuzz/generated/structure_list.h"
#include "tests/fuzz/require.h"
#include "wire/generated/messages.h"

namespace virtgpu::fuzz {
namespace {

template <typename T>
void decode_and_encode(std::span<const std::byte> bytes) {
    const auto value = wire::decode_whole<T>(bytes);
    if (!value)
        return;
    wire::Writer writer;
    require(encode(writer, *value).has_value(), "what was decoded can be encoded");
    const auto again = wire::decode_whole<T>(writer.bytes());
    require(again && *again == *value, "encoded and decoded again it is the same");
}

template <size_t... kNumbers>
void decode_structure(size_t number, std::span<const std::byte> bytes,
                      std::index_sequence<kNumbers...> /*all*/) {
    ((number == kNumbers ? decode_and_encode<std::tuple_element_t<kNumbers, Structures>>(bytes)
                         : void()),
     ...);
}

void decode_messages(std::span<const std::byte> bytes) {
    wire::Reader reader(bytes);
    const auto first = reader.number<uint32_t>();
    const auto second = reader.number<uint32_t>();
    if (!first || !second)
        return;
    const auto rest = bytes.subspan(2 * sizeof(uint32_t));
    static_cast<void>(wire::decode_apir_command(static_cast<int32_t>(*first),
                                                static_cast<int32_t>(*second), rest));
    static_cast<void>(wire::decode_container_request(*first, rest));
    static_cast<void>(wire::decode_worker_request(*first, rest));
}

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace virtgpu::fuzz;
    constexpr size_t kStructures = std::tuple_size_v<Structures>;
    if (size == 0)
        return 0;
    const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
    const size_t number = data[0] % (kStructures + 1);
    if (number == kStructures)
        decode_messages(bytes);
    else
        decode_structure(number, bytes, std::make_index_sequence<kStructures>());
    return 0;
}
