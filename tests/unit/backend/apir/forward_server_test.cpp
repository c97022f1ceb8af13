// What the host makes good for guests with upstream's frontend, with a backend that has wishes.
#include "backend/apir/forward_server.h"

#include <gmock/gmock.h>

#include <atomic>

#include "backend/host.h"
#include "ggml_private/ggml_plugin_abi.h"
#include "tests/apir/guest_graph.h"
#include "tests/unit/backend/memory_region.h"
#include "tests/unit/backend/recording_log.h"
#include "wire/reply_page.h"

namespace virtgpu::backend {
namespace {

using test::GuestGraph;
using test::UpstreamGuest;
using testing::ElementsAre;

// A kernel that has the server right behind it.
class ServerDevice : public test::GuestDevice {
 public:
    ServerDevice(ForwardServer& server, std::shared_ptr<TestRegions> regions)
        : server_(server), regions_(std::move(regions)) {}

    test::Blob create_blob(size_t size) override {
        const uint32_t number = next_++;
        regions_->regions[number] = make_region(size);
        return {number, regions_->regions[number]->bulk(0, size)->data(), size};
    }
    void destroy_blob(const test::Blob& blob) override { regions_->regions.erase(blob.resource); }
    void submit(std::span<const std::byte> command) override {
        wire::Reader reader(command);
        const int32_t type = *reader.number<int32_t>();
        const uint32_t id = *reader.number<uint32_t>();
        auto page = *wire::ReplyPage::create(regions_->regions.at(*reader.number<uint32_t>()));
        wire::Writer reply;
        uint32_t code = protocol::kApirHandshakeCode;
        if (type == 1)
            code = 0;
        else if (type == 2)
            code = server_.serve({id, command.subspan(12), room}, reply);
        else
            reply.number(uint64_t{2} << 32);
        ASSERT_TRUE(page.answer(code, reply.bytes()));
    }

    uint64_t room = UINT64_MAX;

 private:
    ForwardServer& server_;
    std::shared_ptr<TestRegions> regions_;
    uint32_t next_ = 1;
};

constexpr size_t kGreed = 256;
constexpr uint64_t kMemory = uint64_t{64} << 20;

// What a stream was given to do.
struct Seen {
    ggml_backend_t (*init)(ggml_backend_dev_t, const char*) = nullptr;
    ggml_status (*compute)(ggml_backend_t, ggml_cgraph*) = nullptr;
    bool reorders = false;
    std::vector<const ggml_cgraph*> graphs;
    std::vector<ggml_op> ops;  // of the last graph
};

// The processor's backend, which behaves as others do.
class ForwardServerTest : public testing::Test {
 protected:
    void SetUp() override {
        HostOptions options;
        options.catalogue.backends = {"cpu"};
        options.threads = 2;
        options.limits.memory_bytes = kMemory;
        host_ = *Host::create(options, log_);
        device_ = ggml_backend_reg_dev_get(ggml_backend_reg_by_name("CPU"), 0);
        original_ = *device_;
        original_type_ = *ggml_backend_dev_buffer_type(device_);
        seen_ = {};
        seen_.init = original_.iface.init_backend;
    }
    void TearDown() override {
        guest_ = nullptr;
        server_ = nullptr;
        *ggml_backend_dev_buffer_type(device_) = original_type_;
        *device_ = original_;
    }

    // From here on, streams show what they compute.
    void watch() {
        device_->iface.init_backend = [](ggml_backend_dev_t device, const char* parameters) {
            ggml_backend_t const backend = seen_.init(device, parameters);
            seen_.compute = backend->iface.graph_compute;
            backend->iface.graph_compute = [](ggml_backend_t computing, ggml_cgraph* graph) {
                return compute(computing, graph);
            };
            if (seen_.reorders)
                backend->iface.graph_optimize = [](ggml_backend_t, ggml_cgraph* graph,
                                                   ggml_backend_graph_optimize_params*) {
                    std::swap(ggml_graph_nodes(graph)[0], ggml_graph_nodes(graph)[1]);
                };
            return backend;
        };
    }

    UpstreamGuest& guest() {
        if (!guest_) {
            server_ = host_->serve_forwards(1, regions_);
            kernel_ = std::make_unique<ServerDevice>(*server_, regions_);
            guest_ = std::make_unique<UpstreamGuest>(*kernel_);
            guest_->start();
            // What is computed to compare with is not watched.
            device_->iface.init_backend = seen_.init;
        }
        return *guest_;
    }

    static ggml_status compute(ggml_backend_t backend, ggml_cgraph* graph) {
        const ggml_status status = seen_.compute(backend, graph);
        seen_.graphs.push_back(graph);
        seen_.ops.clear();
        for (int i = 0; i < ggml_graph_n_nodes(graph); ++i) {
            ggml_tensor* const node = ggml_graph_node(graph, i);
            seen_.ops.push_back(node->op);
            // It may write there: it said so, by get_alloc_size.
            if (node->op == GGML_OP_ARGSORT)
                std::memset(static_cast<std::byte*>(node->data) + ggml_nbytes(node), 0xee, kGreed);
        }
        return status;
    }

    static inline Seen seen_;
    RecordingLog log_;
    std::shared_ptr<TestRegions> regions_ = std::make_shared<TestRegions>();
    std::unique_ptr<Host> host_;
    ggml_backend_dev_t device_ = nullptr;
    ggml_backend_device original_{};
    ggml_backend_buffer_type original_type_{};
    std::unique_ptr<ForwardServer> server_;
    std::unique_ptr<ServerDevice> kernel_;
    std::unique_ptr<UpstreamGuest> guest_;
};

ggml_tensor* sorted_rows(ggml_context* context) {
    ggml_tensor* const keys = ggml_new_tensor_1d(context, GGML_TYPE_F32, 8);
    ggml_tensor* const rows = ggml_new_tensor_2d(context, GGML_TYPE_F32, 16, 8);
    // The rows come right behind the order that they are taken in.
    return ggml_get_rows(context, rows, ggml_argsort(context, keys, GGML_SORT_ORDER_ASC));
}

TEST_F(ForwardServerTest, Upstream551WhatANodeNeedsBeyondItsResultIsNotTheNextTensors) {
    ggml_backend_dev_buffer_type(device_)->iface.get_alloc_size = [](ggml_backend_buffer_type_t,
                                                                     const ggml_tensor* tensor) {
        return ggml_nbytes(tensor) + (tensor->op == GGML_OP_ARGSORT ? kGreed : 0);
    };
    watch();
    GuestGraph graph(guest(), sorted_rows);
    EXPECT_TRUE(graph.same_as_native());
    EXPECT_THAT(seen_.ops, ElementsAre(GGML_OP_ARGSORT, GGML_OP_DUP, GGML_OP_GET_ROWS));
    // And what is fetched of the sorted order itself.
    const ggml_tensor* const order = graph.native.result->src[1];
    std::vector<int32_t> fetched(8);
    guest().get(graph.buffer, order, graph.place(), fetched.data(), 0, ggml_nbytes(order));
    EXPECT_EQ(std::memcmp(fetched.data(), order->data, ggml_nbytes(order)), 0);
}

ggml_tensor* two_branches(ggml_context* context) {
    ggml_tensor* const a = ggml_new_tensor_1d(context, GGML_TYPE_F32, 16);
    ggml_tensor* const one = ggml_scale(context, a, 2.0F);
    ggml_tensor* const other = ggml_sqr(context, a);
    return ggml_add(context, one, other);
}

TEST_F(ForwardServerTest, Upstream54TheBackendsOrderIsUsedWhereItChangesNothing) {
    seen_.reorders = true;
    watch();
    GuestGraph graph(guest(), two_branches);
    EXPECT_TRUE(graph.same_as_native());
    EXPECT_THAT(seen_.ops, ElementsAre(GGML_OP_SQR, GGML_OP_SCALE, GGML_OP_ADD));
}

ggml_tensor* a_chain(ggml_context* context) {
    ggml_tensor* const a = ggml_new_tensor_1d(context, GGML_TYPE_F32, 16);
    return ggml_sqr(context, ggml_scale(context, a, 2.0F));
}

TEST_F(ForwardServerTest, TheBackendsOrderIsNotUsedWhereItWouldChangeResults) {
    seen_.reorders = true;
    watch();
    GuestGraph graph(guest(), a_chain);
    EXPECT_TRUE(graph.same_as_native());
    EXPECT_THAT(seen_.ops, ElementsAre(GGML_OP_SCALE, GGML_OP_SQR));
}

TEST_F(ForwardServerTest, Upstream53AnUnchangedGraphIsNotBuiltAgain) {
    watch();
    GuestGraph graph(guest(), a_chain);
    for (int i = 0; i < 3; ++i)
        EXPECT_TRUE(graph.same_as_native());
    ASSERT_EQ(seen_.graphs.size(), 3U);
    EXPECT_EQ(seen_.graphs[0], seen_.graphs[1]);
    EXPECT_EQ(seen_.graphs[1], seen_.graphs[2]);
    GuestGraph other(guest(), two_branches);
    EXPECT_TRUE(other.same_as_native());
    EXPECT_TRUE(graph.same_as_native());
    EXPECT_NE(seen_.graphs[3], seen_.graphs[0]);
    EXPECT_EQ(seen_.graphs[4], seen_.graphs[0]);
}

// Their bytes as they came and as they were built.
TEST_F(ForwardServerTest, KnownGraphsCountAgainstTheMemoryAndGiveWayToBuffers) {
    const auto free = [&] {
        return guest().call(test::UpstreamCommand::kDeviceMemory).number<uint64_t>();
    };
    GuestGraph first(guest(), a_chain);
    GuestGraph second(guest(), two_branches);
    // Takes what is needed to read graphs of that size, and is not known afterwards.
    GuestGraph refused(guest(), two_branches);
    guest().free(refused.buffer);
    EXPECT_NE(refused.compute(), GGML_STATUS_SUCCESS);
    const uint64_t before = free();
    EXPECT_TRUE(first.same_as_native());
    const uint64_t with_one = free();
    EXPECT_LT(with_one, before);
    EXPECT_TRUE(second.same_as_native());
    EXPECT_LT(free(), with_one);
    const auto buffer = allocate_on_host(guest(), free() + 1);
    EXPECT_NE(buffer.handle, UINT64_MAX);
    guest().free(buffer);
    EXPECT_TRUE(first.same_as_native()) << "it is built again";
    const uint64_t kept = free();
    const auto larger_than_all = allocate_on_host(guest(), kMemory + 1);
    EXPECT_EQ(larger_than_all.handle, UINT64_MAX);
    EXPECT_EQ(free(), kept) << "for which nothing was forgotten";
}

TEST_F(ForwardServerTest, BuffersAreRegionsWhereThereIsRoom) {
    EXPECT_TRUE(guest().wants_zero_copy());
    EXPECT_EQ(guest().max_size, uint64_t{protocol::kMaxRegionBytes});
    kernel_->room = guest().max_size;
    EXPECT_FALSE(guest().wants_zero_copy()) << "no room for what is not a buffer";
    GuestGraph graph(guest(), two_branches);
    EXPECT_FALSE(graph.buffer.blob);
    EXPECT_TRUE(graph.same_as_native());
    kernel_->room = UINT64_MAX;
    EXPECT_TRUE(guest().wants_zero_copy());
}

}  // namespace
}  // namespace virtgpu::backend
