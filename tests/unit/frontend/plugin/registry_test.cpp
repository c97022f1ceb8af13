#include "frontend/plugin/registry.h"

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

using RegistryTest = PluginTest;

TEST_F(RegistryTest, LostHostFailsEverythingAndAbortsNothing) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const sum = ggml_add(context_.get(), a, a);
    const GgmlBuffer buffer = allocate();
    ggml_cgraph* const graph = graph_of(sum);
    const GgmlBackend backend = open_backend();

    stop_host();
    // Queued, so nothing is known yet; the wait finds out, and the next computation says so.
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_SUCCESS);
    EXPECT_EQ(ggml_backend_graph_compute(backend.get(), graph), GGML_STATUS_FAILED);
    std::array<float, 8> values{1, 2, 3, 4, 5, 6, 7, 8};
    ggml_backend_tensor_set(a, values.data(), 0, sizeof values);
    ggml_backend_tensor_get(a, values.data(), 0, sizeof values);
    EXPECT_THAT(values, testing::Each(0.0F));
    EXPECT_EQ(ggml_backend_dev_init(device_, nullptr), nullptr);
    EXPECT_EQ(ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device_), 10), nullptr);
    // "No" would make ggml's scheduler abort.
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, ggml_mul(context_.get(), a, a)));
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("compute worker died"));
}

// What ggml 0.25 would read.
TEST_F(RegistryTest, OlderGgmlGetsItsOwnLayout) {
    Registry registry(ggml_private::PluginAbi::kVersion2, {}, log_);
    auto connection = Connection::open(host_.fake.make_transport(), log_);
    ASSERT_TRUE(connection);
    registry.add(std::move(*connection));
    EXPECT_EQ(registry.get()->api_version, 2);
    const ggml_backend_dev_t device = registry.device(0);
    const auto* const type =
        reinterpret_cast<ggml_backend_buffer_type_v2*>(device->iface.get_buffer_type(device));
    EXPECT_EQ(type->device, device);
    EXPECT_STREQ(type->iface.get_name(device->iface.get_buffer_type(device)), "virtgpu0");
    EXPECT_EQ(type->iface.get_alignment(device->iface.get_buffer_type(device)), 64U);
    EXPECT_EQ(type->iface.get_max_size(device->iface.get_buffer_type(device)), kDeviceBytes);
    EXPECT_FALSE(type->iface.is_host(device->iface.get_buffer_type(device)));
}

TEST_F(RegistryTest, HasNoFunctionsForWhatNobodyAskedFor) {
    EXPECT_EQ(ggml_backend_reg_get_proc_address(registry_.get(), "ggml_backend_get_features"),
              nullptr)
        << "the devices have no features";
    EXPECT_EQ(ggml_backend_reg_get_proc_address(registry_.get(), "ggml_backend_set_n_threads"),
              nullptr);
    EXPECT_EQ(ggml_backend_reg_get_proc_address(registry_.get(), "ggml_backend_no_such_function"),
              nullptr);
    EXPECT_NE(ggml_backend_reg_get_proc_address(registry_.get(), "ggml_backend_set_abort_callback"),
              nullptr);
}

TEST_F(RegistryTest, Upstream556EachDeviceHasItsOwnNameAndBufferType) {
    ASSERT_EQ(registry_.device_count(), 2U);
    EXPECT_STRNE(ggml_backend_dev_name(registry_.device(0)),
                 ggml_backend_dev_name(registry_.device(1)));
    for (const size_t number : {0U, 1U}) {
        ggml_backend_dev_t const device = registry_.device(number);
        ggml_backend_buffer_type_t const type = ggml_backend_dev_buffer_type(device);
        EXPECT_EQ(ggml_backend_buft_get_device(type), device);
        EXPECT_TRUE(ggml_backend_dev_supports_buft(device, type));
        EXPECT_FALSE(ggml_backend_dev_supports_buft(registry_.device(1 - number), type));
    }
}

class FeaturesTest : public PluginTest {
 protected:
    FeaturesTest() : PluginTest({.features = {{"AVX2", "1"}, {"ROWS", "8"}}}) {}
};

TEST_F(FeaturesTest, AreThoseOfAllDevicesOnce) {
    PluginHost other({.features = {{"AVX2", "0"}, {"CUDA", "1"}}});
    Registry registry(ggml_private::PluginAbi::kVersion3, {}, log_);
    for (PluginHost* const host : {&host_, &other})
        registry.add(*Connection::open(host->fake.make_transport(), log_));
    auto* const features =
        reinterpret_cast<ggml_backend_get_features_t>(ggml_backend_reg_get_proc_address(
            registry.get(), "ggml_backend_get_features"))(registry.get());
    std::vector<std::string> listed;
    for (const ggml_backend_feature* one = features; one->name != nullptr; ++one)
        listed.push_back(std::string(one->name) + "=" + one->value);
    EXPECT_THAT(listed, testing::ElementsAre("AVX2=1", "ROWS=8", "CUDA=1"));
}

class ThreadsTest : public PluginTest {
 protected:
    ThreadsTest() : PluginTest({}, {.obeys_threads = true}) {}
};

TEST_F(ThreadsTest, AreTheApplicationsWhereTheyAreObeyed) {
    const GgmlBackend backend = open_backend();
    const auto set_threads = reinterpret_cast<ggml_backend_set_n_threads_t>(
        ggml_backend_reg_get_proc_address(registry_.get(), "ggml_backend_set_n_threads"));
    ASSERT_NE(set_threads, nullptr);
    set_threads(backend.get(), 3);
    set_threads(backend.get(), 0);
    set_threads(backend.get(), -1);
    ggml_backend_synchronize(backend.get());
    const auto sent = host_.requests<protocol::SetThreadsRequest>(Command::kSetThreads);
    ASSERT_EQ(sent.size(), 1U) << "the host takes no less than one";
    EXPECT_EQ(sent[0].threads, 3U);
}

}  // namespace
}  // namespace virtgpu::frontend
