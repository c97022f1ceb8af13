// What libFuzzer calls to change an input that is a graph.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/graph_mutator.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t largest);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t largest,
                                          unsigned int seed) {
    using namespace virtgpu::fuzz;
    auto input = decode_input(std::as_bytes(std::span(data, size)));
    // Bytes without sense are of use, too.
    if (!input || seed % 16 == 0)
        return LLVMFuzzerMutate(data, size, largest);
    GraphMutator(seed).mutate(*input);
    const auto bytes = encode_input(*input);
    if (bytes.size() > largest)
        return LLVMFuzzerMutate(data, size, largest);
    std::transform(bytes.begin(), bytes.end(), data,
                   [](std::byte byte) { return static_cast<uint8_t>(byte); });
    return bytes.size();
}
