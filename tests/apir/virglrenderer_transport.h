// Our frontend's way to a FakeVirglrenderer.
#pragma once

#include <cstring>

#include "frontend/transport/transport.h"
#include "protocol/generated/structures.h"
#include "tests/apir/fake_virglrenderer.h"

namespace virtgpu::test {

class BlobMemory : public wire::Region {
 public:
    explicit BlobMemory(const Blob& blob) : Region(blob.memory, blob.size) {}
};

class BlobRegion : public frontend::SharedRegion {
 public:
    BlobRegion(FakeVirglrenderer::Context& context, const Blob& blob, size_t& regions)
        : SharedRegion(blob.resource, std::make_shared<BlobMemory>(blob)),
          context_(context),
          blob_(blob),
          regions_(regions) {
        ++regions_;
    }
    ~BlobRegion() override {
        context_.destroy_blob(blob_);
        --regions_;
    }

 private:
    FakeVirglrenderer::Context& context_;
    Blob blob_;
    size_t& regions_;
};

class VirglrendererTransport : public frontend::Transport {
 public:
    // No region larger than `largest`: the window is full.
    VirglrendererTransport(FakeVirglrenderer& renderer, uint32_t context, size_t largest = SIZE_MAX)
        : context_(renderer, context), largest_(largest) {}

    std::string name() const override { return "virglrenderer"; }
    std::string advice() const override { return "restart it"; }
    wire::Result<std::unique_ptr<frontend::SharedRegion>> create_region(size_t size) override {
        if (size % 16384 != 0 || size > largest_)
            return wire::fail(wire::Fault::kSystem, "no blob of {} bytes", size);
        return std::make_unique<BlobRegion>(context_, context_.create_blob(size), regions_);
    }
    wire::Result<void> submit(std::span<const std::byte> command) override {
        if (!connected_)
            return wire::fail(wire::Fault::kLost, "gone");
        if (swallows_)
            return {};
        note(command);
        context_.submit(command);
        return {};
    }
    wire::Result<void> open_signals(uint32_t /*ring*/) override { return no_rings(); }
    void close_signals(uint32_t /*ring*/) override {}
    wire::Result<void> doorbell(uint32_t /*ring*/) override { return no_rings(); }
    wire::Result<void> wait(uint32_t /*ring*/, std::chrono::microseconds /*timeout*/) override {
        return no_rings();
    }
    bool connected() const override { return connected_; }

    void disconnect() { connected_ = false; }
    // From now on no command arrives.
    void swallow_commands() { swallows_ = true; }
    // The window is full from now on.
    void refuse_regions() { largest_ = 0; }
    size_t regions() const { return regions_; }
    // FORWARD ids that upstream does not have, handed to the library that it has loaded.
    int unknown_forwards() const { return unknown_forwards_; }
    int memory_questions() const { return memory_questions_; }

 private:
    void note(std::span<const std::byte> command) {
        int32_t type = 0;
        uint32_t id = 0;
        std::memcpy(&type, command.data(), sizeof type);
        std::memcpy(&id, command.data() + sizeof type, sizeof id);
        memory_questions_ +=
            type == static_cast<int32_t>(protocol::ApirType::kForward) &&
            id == static_cast<uint32_t>(protocol::ForwardCommand::kDeviceGetMemory);
        loaded_ = loaded_ || type == static_cast<int32_t>(protocol::ApirType::kLoadlibrary);
        if (loaded_ && type == static_cast<int32_t>(protocol::ApirType::kForward) &&
            !protocol::is_forward_command(id))
            ++unknown_forwards_;
    }

    static wire::Result<void> no_rings() {
        return wire::fail(wire::Fault::kPeer, "upstream's hosts have no rings");
    }

    FakeVirglrenderer::Context context_;
    size_t largest_;
    size_t regions_ = 0;
    bool connected_ = true;
    bool swallows_ = false;
    bool loaded_ = false;
    int unknown_forwards_ = 0;
    int memory_questions_ = 0;
};

}  // namespace virtgpu::test
