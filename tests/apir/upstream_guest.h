// A guest that behaves like upstream's frontend, byte for byte: its start, its polling, its
// encodings and what it leaves out. Written from the description of the protocol.
#pragma once

#include <ggml.h>

#include <functional>
#include <optional>

#include "tests/apir/guest_device.h"
#include "tests/apir/upstream_codec.h"

namespace virtgpu::test {

enum class UpstreamCommand : uint32_t {
    kDeviceCount = 1,
    kDeviceName = 2,
    kDeviceDescription = 3,
    kDeviceType = 4,
    kDeviceMemory = 5,
    kSupportsOp = 6,
    kBufferType = 7,
    kDeviceProps = 8,
    kBufferFromPtr = 9,
    kBufferTypeName = 10,
    kBufferTypeAlignment = 11,
    kBufferTypeMaxSize = 12,
    kBufferTypeIsHost = 13,
    kAllocBuffer = 14,
    kAllocSize = 15,
    kBufferBase = 16,
    kSetTensor = 17,
    kGetTensor = 18,
    kCpyTensor = 19,
    kClear = 20,
    kFreeBuffer = 21,
    kGraphCompute = 22,
};

// Upstream's abort of the application.
class Aborted : public std::runtime_error {
 public:
    using std::runtime_error::runtime_error;
};

struct GuestBuffer {
    uint64_t handle = 0;
    uint64_t base = 0;         // what the host calls it; the blob's address where there is one
    std::optional<Blob> blob;  // the zero-copy path
};

// Where a tensor's data is.
struct Placed {
    uint64_t buffer = 0;
    uint64_t offset = 0;
};
using PlaceOf = std::function<Placed(const ggml_tensor*)>;

class UpstreamGuest {
 public:
    static constexpr size_t kDataBytes = 0x1830000;

    // `minor` is 2 since ggml 0.21 and was 1 before, when DEVICE_GET_PROPS had four answers.
    explicit UpstreamGuest(GuestDevice& device, uint32_t minor = 2);
    ~UpstreamGuest();
    UpstreamGuest(const UpstreamGuest&) = delete;
    UpstreamGuest& operator=(const UpstreamGuest&) = delete;

    // HANDSHAKE, LOADLIBRARY and the nine questions.
    void start();

    // A FORWARD; throws Aborted for every code but success.
    Decoder call(UpstreamCommand command, const Encoder& arguments = {});
    // The same without judging: the word in the reply page.
    uint32_t raw_call(uint32_t command, std::span<const std::byte> arguments);
    std::span<const std::byte> reply() const {
        return {reply_.memory + sizeof(uint32_t), reply_.size - sizeof(uint32_t)};
    }

    bool wants_zero_copy();  // DEVICE_GET_PROPS
    GuestBuffer allocate(size_t size);
    void free(const GuestBuffer& buffer);  // never destroys the blob, as upstream
    void set(const GuestBuffer& buffer, const ggml_tensor* tensor, const PlaceOf& place,
             const void* data, uint64_t offset, size_t size);
    void get(const GuestBuffer& buffer, const ggml_tensor* tensor, const PlaceOf& place, void* data,
             uint64_t offset, size_t size);
    bool copy(const GuestBuffer& destination, const ggml_tensor* from, const ggml_tensor* to,
              const PlaceOf& place);
    void clear(const GuestBuffer& buffer, uint8_t value);
    int32_t compute(ggml_cgraph* graph, const PlaceOf& place);
    int32_t compute(std::span<const std::byte> encoded_graph);
    // With the 8 bytes of an address where the buffer's handle should be.
    uint64_t alloc_size(const ggml_tensor* tensor);
    bool supports_op(const ggml_tensor* tensor);

    static RpcTensor encode(const ggml_tensor* tensor, const PlaceOf& place);
    static std::vector<std::byte> encode(ggml_cgraph* graph, const PlaceOf& place);

    uint32_t host_minor = 0;
    std::string description;
    std::string name;
    uint32_t type = 0;
    uint64_t memory_free = 0;
    uint64_t memory_total = 0;
    uint64_t buffer_type = 0;
    std::string buffer_type_name;
    uint64_t alignment = 0;
    uint64_t max_size = 0;
    bool mmap_support = false;

    static constexpr int kForever = 0;

    uint32_t submit_and_wait(int32_t type, uint32_t flags, std::span<const std::byte> arguments);
    Blob& data() { return data_; }
    GuestDevice& device() { return device_; }

 private:
    // A blob for one transfer: the data blob, or one of its own where that is too small.
    class Transfer;

    static void encode_node(Encoder& encoder, const ggml_tensor* tensor);

    GuestDevice& device_;
    const uint32_t minor_;
    Blob reply_;
    Blob data_;
};

}  // namespace virtgpu::test
