#include "frontend/plugin/renewable_host.h"

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

// The application's host ends, and there is another one where it was.
class RenewableHostTest : public PluginTest {
 protected:
    RenewableHostTest() {
        auto connection = Connection::open(first_host_.fake.make_transport(), log_);
        renewed_.add(std::move(*connection), [this] {
            ++connected_;
            return reconnect();
        });
        device_ = renewed_.device(0);
    }

    wire::Result<std::unique_ptr<HostConnection>> reconnect() {
        if (!next_host_)
            return wire::fail(wire::Fault::kLost, "nobody is there");
        return TRY(Connection::open(next_host_->fake.make_transport(), log_));
    }
    void stop_first_host() {
        first_host_.fake.state = protocol::ContextState::kLost;
        first_host_.fake.serves_rings = false;
    }
    void replace_host(HostSettings settings = {}) {
        stop_first_host();
        next_host_ = std::make_unique<PluginHost>(std::move(settings));
    }
    ggml_status compute(const GgmlBackend& backend) {
        ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
        ggml_tensor* const sum = ggml_add(context_.get(), a, a);
        buffers_.push_back(allocate());
        const ggml_status status = ggml_backend_graph_compute(backend.get(), graph_of(sum));
        ggml_backend_synchronize(backend.get());
        return status;
    }

    PluginHost first_host_{HostSettings{}};
    std::unique_ptr<PluginHost> next_host_;
    Registry renewed_{ggml_private::PluginAbi::kVersion3, {}, log_};
    std::vector<GgmlBuffer> buffers_;
    int connected_ = 0;
};

TEST_F(RenewableHostTest, TheNextBackendComputesOnAFreshConnection) {
    const GgmlBackend lost = open_backend();
    EXPECT_EQ(compute(lost), GGML_STATUS_SUCCESS);
    const std::string name = ggml_backend_dev_name(device_);
    const char* const description = ggml_backend_dev_description(device_);
    replace_host();
    ggml_backend_synchronize(lost.get());
    EXPECT_EQ(connected_, 0) << "not before somebody needs it";
    const GgmlBackend fresh = open_backend();
    EXPECT_EQ(connected_, 1);
    EXPECT_EQ(compute(fresh), GGML_STATUS_SUCCESS);
    EXPECT_EQ(next_host_->count(Command::kRunGraph), 1);
    EXPECT_EQ(ggml_backend_dev_name(device_), name);
    EXPECT_EQ(ggml_backend_dev_description(device_), description) << "kept by the application";
}

// What was lost stays lost: an application may still have its backend and its buffers.
TEST_F(RenewableHostTest, TheLostBackendAndItsBuffersStayLost) {
    const GgmlBackend lost = open_backend();
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    const GgmlBuffer buffer = allocate();
    ggml_cgraph* const graph = graph_of(sum);
    EXPECT_EQ(ggml_backend_graph_compute(lost.get(), graph), GGML_STATUS_SUCCESS);
    replace_host();
    const GgmlBackend fresh = open_backend();
    EXPECT_EQ(ggml_backend_graph_compute(lost.get(), graph), GGML_STATUS_FAILED);
    EXPECT_EQ(ggml_backend_graph_compute(fresh.get(), graph), GGML_STATUS_FAILED)
        << "its handles mean nothing to the new host";
    EXPECT_EQ(next_host_->count(Command::kDefineGraph), 0);
    std::array<float, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_get(a, values.data(), 0, sizeof values);
    EXPECT_THAT(values, testing::Each(0.0F));
}

TEST_F(RenewableHostTest, AnAllocationAfterALossIsOnTheNewHost) {
    const GgmlBackend lost = open_backend();
    replace_host();
    ggml_backend_synchronize(lost.get());
    EXPECT_EQ(compute(lost), GGML_STATUS_FAILED);
    ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    const GgmlBuffer buffer = allocate();
    EXPECT_EQ(connected_, 1);
    EXPECT_GT(next_host_->count(Command::kAllocBuffer), 0);
}

TEST_F(RenewableHostTest, WithoutAHostEverythingFailsAndIsTriedAgain) {
    const GgmlBackend lost = open_backend();
    stop_first_host();
    EXPECT_EQ(ggml_backend_dev_init(device_, nullptr), nullptr);
    EXPECT_EQ(ggml_backend_dev_init(device_, nullptr), nullptr);
    EXPECT_GE(connected_, 2);
    next_host_ = std::make_unique<PluginHost>(HostSettings{});
    EXPECT_TRUE(open_backend());
}

TEST_F(RenewableHostTest, AnotherKindOfHostIsRefused) {
    const GgmlBackend lost = open_backend();
    replace_host({.alignment = 4096});
    EXPECT_EQ(ggml_backend_dev_init(device_, nullptr), nullptr);
    EXPECT_THAT(log_.lines(), testing::Contains(testing::HasSubstr("restart the program")));
}

// A context on a host counts against its limits.
TEST_F(RenewableHostTest, TheLostConnectionEndsWithWhatUsedIt) {
    GgmlBackend lost = open_backend();
    EXPECT_EQ(compute(lost), GGML_STATUS_SUCCESS);
    replace_host();
    const GgmlBackend fresh = open_backend();
    EXPECT_EQ(first_host_.fake.connections(), 1);
    lost.reset();
    EXPECT_EQ(first_host_.fake.connections(), 1) << "a buffer is left";
    buffers_.clear();
    EXPECT_EQ(first_host_.fake.connections(), 0);
}

}  // namespace
}  // namespace virtgpu::frontend
