// A context of a host with ggml's CPU backend, ring 0 and one stream.
#pragma once

#include <ggml.h>
#include <gtest/gtest.h>

#include "backend/host.h"
#include "tests/unit/backend/recording_log.h"
#include "tests/unit/backend/ring_guest.h"

namespace virtgpu::backend {

constexpr uint32_t kDataRegion = 7;
constexpr size_t kDataBytes = size_t{4} << 20;

inline std::vector<protocol::Name> names_of(int count, const char* (*name)(int)) {
    std::vector<protocol::Name> names;
    for (int i = 0; i < count; ++i)
        if (const char* text = name(i))
            names.push_back({static_cast<uint32_t>(i), text});
    return names;
}

// What a guest with the same ggml says.
inline protocol::HelloRequest hello_of_this_ggml() {
    protocol::HelloRequest hello;
    hello.level2_version = protocol::kLevel2Version;
    hello.frontend = "test";
    hello.ggml = ggml_version();
    hello.ops =
        names_of(GGML_OP_COUNT, [](int i) { return ggml_op_name(static_cast<ggml_op>(i)); });
    hello.types =
        names_of(GGML_TYPE_COUNT, [](int i) { return ggml_type_name(static_cast<ggml_type>(i)); });
    hello.unary_ops = names_of(GGML_UNARY_OP_COUNT, [](int i) {
        return ggml_unary_op_name(static_cast<ggml_unary_op>(i));
    });
    hello.glu_ops = names_of(GGML_GLU_OP_COUNT,
                             [](int i) { return ggml_glu_op_name(static_cast<ggml_glu_op>(i)); });
    return hello;
}

// The bytes offset+size of a buffer.
inline protocol::TensorData bytes_of(protocol::Handle buffer, uint64_t offset, uint64_t size) {
    protocol::TensorData tensor;
    tensor.type = GGML_TYPE_I8;
    tensor.ne = {static_cast<int64_t>(size), 1, 1, 1};
    tensor.nb = {1, size, size, size};
    tensor.buffer = buffer;
    tensor.data_offset = offset;
    return tensor;
}

class HostTest : public ::testing::Test {
 protected:
    void SetUp() override {
        HostOptions options;
        options.catalogue.backends = backends_;
        options.catalogue.devices = devices_;
        options.catalogue.repack = repack_;
        options.threads = 2;
        options.limits = limits_;
        auto host = Host::create(options, log);
        ASSERT_TRUE(host) << host.error().message();
        host_ = std::move(*host);
        regions->regions[kDataRegion] = make_region(kDataBytes);
        context_ = *host_->open_context(5, regions, [this](uint32_t, const std::string& reason) {
            const std::lock_guard lock(mutex_);
            failure_ = reason;
        });
        open(0, control);
        open(1, stream);
    }

    void open(uint32_t number, RingGuest& guest) {
        const auto opened = context_->open_ring(number, guest.host_memory(), guest.host_signals());
        ASSERT_TRUE(opened) << opened.error().message();
    }

    void greet() {
        const auto reply = control.hello(hello_of_this_ggml());
        ASSERT_TRUE(reply) << reply.error().message();
    }

    protocol::Handle alloc(uint64_t size) {
        const auto reply = control.alloc_buffer({0, size});
        EXPECT_TRUE(reply) << reply.error().message();
        return reply ? reply->buffer : protocol::Handle();
    }

    wire::Region& data() { return *regions->regions[kDataRegion]; }

    std::string failure() {
        const std::lock_guard lock(mutex_);
        return failure_;
    }

    RecordingLog log;
    std::shared_ptr<TestRegions> regions = std::make_shared<TestRegions>();
    std::vector<std::string> backends_ = {"cpu"};
    std::vector<std::string> devices_;  // all where none is named
    Limits limits_;
    bool repack_ = true;
    RingGuest control;
    RingGuest stream;
    std::unique_ptr<Host> host_;
    std::unique_ptr<ServedContext> context_;

 private:
    std::mutex mutex_;
    std::string failure_;
};

}  // namespace virtgpu::backend
