// What ggml's tables need of a host, its devices, buffers and streams, whatever level of the
// protocol the host speaks: level 2 in Connection and Remote..., upstream's level 1 in level1/.
#pragma once

#include <ggml-backend.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "frontend/session_health.h"
#include "protocol/generated/structures.h"
#include "wire/log.h"
#include "wire/result.h"

struct ggml_backend_graph_optimize_params;  // of ggml's plug-in interface

namespace virtgpu::frontend {

class Device;

// Thread safe; outlives its devices, buffers and streams.
class HostConnection {
 public:
    virtual ~HostConnection() = default;

    virtual wire::Log& log() = 0;
    virtual SessionHealth& health() = 0;
    virtual uint32_t device_count() const = 0;
    // `name` is ggml's name for the device here.
    virtual std::unique_ptr<Device> make_device(uint32_t index, std::string name) = 0;

    // Memory of this side that the host sees, for devices that have it (Capabilities).
    virtual wire::Result<std::byte*> allocate_host_memory(size_t size) = 0;
    virtual void free_host_memory(std::byte* memory) = 0;
};

// Failures of transfers are logged once and make the connection lost; get_tensor then gives zeroes.
class Buffer {
 public:
    virtual ~Buffer() = default;  // frees the host's buffer

    virtual HostConnection& connection() = 0;
    virtual void* base() const = 0;
    virtual wire::Result<void> init_tensor(const ggml_tensor& tensor) = 0;
    virtual wire::Result<void> memset_tensor(const ggml_tensor& tensor, uint8_t value,
                                             size_t offset, size_t size) = 0;
    virtual wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                          std::span<const std::byte> from) = 0;
    virtual wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                          std::span<std::byte> to) = 0;
    // False when the host cannot copy; `source` is a buffer of the same connection.
    virtual wire::Result<bool> copy_tensor(const Buffer& source, const ggml_tensor& from,
                                           const ggml_tensor& to) = 0;
    virtual wire::Result<void> clear(uint8_t value) = 0;
    // ggml sets what a buffer is for without telling.
    virtual wire::Result<void> update_usage(ggml_backend_buffer_usage usage) = 0;
};

// A ggml_backend_t. For one thread at a time, as ggml's backends are; only finish(mark) is for any,
// which wait for events.
class Stream {
 public:
    virtual ~Stream() = default;

    virtual HostConnection& connection() = 0;
    // Fault::kRefused for a graph that the host cannot be given.
    virtual wire::Result<ggml_status> compute(ggml_cgraph& graph) = 0;
    // Asked while a graph is computed; empty for none.
    virtual void set_abort_callback(std::function<bool()> unwanted) = 0;
    virtual wire::Result<void> set_threads(uint32_t threads) = 0;
    // Whether optimize() has anything to say.
    virtual bool reorders_graphs() const = 0;
    virtual wire::Result<void> optimize(ggml_cgraph& graph,
                                        const ggml_backend_graph_optimize_params* parameters) = 0;
    virtual wire::Result<void> set_tensor(const ggml_tensor& tensor, size_t offset,
                                          std::span<const std::byte> from) = 0;
    virtual wire::Result<void> get_tensor(const ggml_tensor& tensor, size_t offset,
                                          std::span<std::byte> to) = 0;
    // `reader` is a stream of the same connection. False when the host cannot copy.
    virtual wire::Result<bool> copy_tensor(Stream& reader, const ggml_tensor& from,
                                           const ggml_tensor& to) = 0;
    virtual wire::Result<void> finish() = 0;

    // A point in the stream, that it can be waited for, here and by a stream of the connection.
    virtual wire::Result<uint64_t> mark() = 0;
    virtual wire::Result<void> finish(uint64_t mark) = 0;
    virtual wire::Result<void> come_after(const Stream& other, uint64_t mark) = 0;
};

// Thread safe. Answers that ggml takes without a way to say "failed" are such that a lost
// connection shows in the next computation or allocation.
class Device {
 public:
    struct Memory {
        size_t free = 0;
        size_t total = 0;
    };
    struct Capabilities {
        bool async = false;
        bool host_memory = false;
        bool events = false;
    };

    virtual ~Device() = default;

    virtual HostConnection& connection() = 0;
    virtual const std::string& name() const = 0;
    // Of the memory on this side that its transfers need no copy for.
    virtual const std::string& host_memory_name() const = 0;
    virtual const std::string& description() const = 0;
    virtual const std::string& id() const = 0;
    virtual enum ggml_backend_dev_type type() const = 0;
    virtual Capabilities capabilities() const = 0;
    virtual size_t alignment() const = 0;
    virtual size_t max_buffer_size() const = 0;
    virtual const std::vector<protocol::Feature>& features() const = 0;

    virtual Memory memory() = 0;
    virtual bool supports_op(const ggml_tensor& node) = 0;
    virtual bool offloads_op(const ggml_tensor& node) = 0;
    // Bytes that the tensor needs in a buffer of this device, at least ggml_nbytes.
    virtual size_t alloc_size(const ggml_tensor& tensor) = 0;

    virtual wire::Result<std::unique_ptr<Buffer>> allocate(size_t size) = 0;
    virtual wire::Result<std::unique_ptr<Stream>> open_stream() = 0;
};

}  // namespace virtgpu::frontend
