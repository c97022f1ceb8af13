// A host with devices, buffers and graphs, which computes only what a test tells it to.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "tests/unit/frontend/fake_host.h"
#include "wire/generated/codec.h"

namespace virtgpu::test {

constexpr uint64_t kDeviceBytes = 64 << 20;

template <typename T>
T decoded(std::span<const std::byte> payload) {
    auto value = wire::decode_whole<T>(payload);
    EXPECT_TRUE(value) << value.error().message();
    return std::move(*value);
}

// What the host says of its two devices.
struct HostSettings {
    bool shares_memory = false;
    bool copies_weights = false;
    bool reorders_graphs = false;
    uint64_t alignment = 64;
    std::vector<protocol::Feature> features{};
};

// Thread safe.
class PluginHost {
 public:
    explicit PluginHost(HostSettings settings) : settings_(std::move(settings)) {
        fake.orders_rings = true;
    }

    int count(protocol::Command command) const;
    // All requests of a command so far.
    template <typename T>
    std::vector<T> requests(protocol::Command command) const {
        const std::lock_guard lock(mutex_);
        std::vector<T> all;
        if (const auto found = requests_.find(command); found != requests_.end())
            for (const auto& payload : found->second)
                all.push_back(decoded<T>(payload));
        return all;
    }
    // The last graph that was defined or asked about, and where all of them were read.
    protocol::Graph graph() const;
    std::set<uint32_t> graph_regions() const;
    // The host's side of the `index`th buffer.
    std::span<std::byte> memory(uint32_t index);
    // What RUN_GRAPH does.
    void compute_by(std::function<void()> compute);
    // Answers OPTIMIZE_GRAPH; the nodes as they are where there is none.
    void order_by(std::function<RingAnswer(const protocol::Graph&)> order);

    std::atomic<bool> refuses_to_share = false;
    std::atomic<bool> refuses_graphs = false;

 private:
    struct Buffer {
        std::vector<std::byte> own;
        std::shared_ptr<wire::Region> shared;
        std::span<std::byte> bytes;
    };

    RingAnswer serve(protocol::Command command, std::span<const std::byte> payload);
    RingAnswer answer(protocol::Command command, std::span<const std::byte> payload);
    RingAnswer carry_out(protocol::Command command, std::span<const std::byte> payload);
    RingAnswer hello(const protocol::HelloRequest& request) const;
    RingAnswer allocate(const protocol::AllocBufferRequest& request);
    RingAnswer share(const protocol::ShareBufferRequest& request);
    void clear(const protocol::ClearBufferRequest& request);
    void memset_tensor(const protocol::MemsetTensorRequest& request);
    RingAnswer set_tensor(const protocol::SetTensorRequest& request);
    RingAnswer get_tensor(const protocol::GetTensorRequest& request);
    void copy_tensor(const protocol::CopyTensorRequest& request);
    void read_graph(const protocol::RegionSpan& encoded);
    RingAnswer order(const protocol::OptimizeGraphRequest& request);
    protocol::Handle add(Buffer buffer);
    std::span<std::byte> bytes(const protocol::TensorData& tensor, uint64_t offset, uint64_t size);

    const HostSettings settings_;
    mutable std::mutex mutex_;
    std::map<protocol::Command, std::vector<std::vector<std::byte>>> requests_;
    std::map<uint32_t, Buffer> buffers_;
    uint32_t next_buffer_ = 0;
    protocol::Graph graph_;
    std::set<uint32_t> graph_regions_;
    std::function<void()> compute_ = [] {};
    std::function<RingAnswer(const protocol::Graph&)> order_;

 public:
    // Its rings' threads use all of the above.
    FakeHost fake{[this](protocol::Command command, std::span<const std::byte> payload) {
        return serve(command, payload);
    }};
};

}  // namespace virtgpu::test
