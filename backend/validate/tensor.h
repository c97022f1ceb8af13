// From a decoded Tensor to one that ggml may be given.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "backend/validate/layout.h"

namespace virtgpu::validate {

// Sizes of the session's buffers.
class BufferSizes {
 public:
    virtual ~BufferSizes() = default;
    // Fault::kPeer for a handle that names nothing.
    virtual Result<uint64_t> size_of(protocol::Handle buffer) = 0;
};

// Where a tensor's data is.
struct Place {
    protocol::Handle buffer;
    uint64_t offset = 0;
};

// Made by TensorValidator only. All numbers are the host's.
struct ValidTensor {
    uint32_t type = 0;
    uint32_t op = 0;
    OpKind kind = OpKind::kNone;
    uint32_t flags = 0;
    Elements ne{};
    Strides nb{};
    std::array<int32_t, 16> op_params{};
    std::array<char, protocol::kMaxNameLength> name{};  // ends with a zero
    std::optional<Place> place;  // without one, nothing may read or write the data
    uint64_t extent = 0;         // bytes, all of them inside the buffer
    uint64_t room = 0;           // bytes from its first to the buffer's end; 0 without a place
};

enum class Placement {
    kIgnored,   // descriptions of nodes: the data is never touched
    kRequired,  // CVE-2026-34159: a tensor with elements and no buffer passed every check
};

// Keeps references to both arguments.
class TensorValidator {
 public:
    TensorValidator(const Vocabulary& vocabulary, BufferSizes& buffers)
        : vocabulary_(vocabulary), buffers_(buffers) {}

    // Fault::kPeer for what a correct guest never sends, Fault::kRefused for what the host cannot
    // do.
    Result<ValidTensor> check(const protocol::Tensor& tensor, Placement placement) const;

    // The same for a tensor of which only the data counts; its place is required.
    Result<ValidTensor> check(const protocol::TensorData& tensor) const;

    const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
    Result<void> translate_op(const protocol::Tensor& tensor, ValidTensor& valid) const;
    Result<void> place(const Place& place, ValidTensor& valid) const;

    const Vocabulary& vocabulary_;
    BufferSizes& buffers_;
};

}  // namespace virtgpu::validate
