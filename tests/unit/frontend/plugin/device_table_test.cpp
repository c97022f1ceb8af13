#include "frontend/plugin/device_table.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

using DeviceTableTest = PluginTest;

TEST_F(DeviceTableTest, DescribesItsDevices) {
    EXPECT_EQ(registry_.device_count(), 2U);
    EXPECT_EQ(registry_.device(2), nullptr);
    EXPECT_STREQ(ggml_backend_dev_name(registry_.device(1)), "virtgpu1");
    ggml_backend_dev_props props{};
    ggml_backend_dev_get_props(device_, &props);
    EXPECT_STREQ(props.name, "virtgpu0");
    EXPECT_EQ(props.type, GGML_BACKEND_DEVICE_TYPE_GPU);
    EXPECT_EQ(props.memory_free, kDeviceBytes / 2);
    EXPECT_THAT(props.device_id, testing::StartsWith("virtgpu:"));
    EXPECT_FALSE(props.caps.buffer_from_host_ptr);
    EXPECT_TRUE(props.caps.mmap_support);
    EXPECT_EQ(ggml_backend_dev_type(registry_.device(1)), GGML_BACKEND_DEVICE_TYPE_GPU);
    EXPECT_FALSE(ggml_backend_buft_is_host(ggml_backend_dev_buffer_type(device_)));
    EXPECT_EQ(ggml_backend_buft_get_alignment(ggml_backend_dev_buffer_type(device_)), 64U);
}

TEST_F(DeviceTableTest, HostIsAskedOncePerKindOfNode) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    ggml_tensor* const view = ggml_view_1d(context_.get(), a, 4, 0);
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, a));
    EXPECT_TRUE(ggml_backend_dev_supports_op(device_, view));
    EXPECT_EQ(host_.count(Command::kSupportsOp), 0);
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(ggml_backend_dev_supports_op(device_, ggml_add(context_.get(), a, a)));
        EXPECT_FALSE(ggml_backend_dev_supports_op(device_, ggml_mul(context_.get(), a, a)));
        EXPECT_TRUE(ggml_backend_dev_offload_op(device_, ggml_add(context_.get(), a, a)));
    }
    EXPECT_EQ(host_.count(Command::kSupportsOp), 2);
    EXPECT_EQ(host_.count(Command::kOffloadsOp), 1);
    const auto asked = host_.requests<protocol::SupportsOpRequest>(Command::kSupportsOp);
    EXPECT_EQ(asked[0].tensors.size(), 2U);
    // The other device has answers of its own.
    EXPECT_TRUE(ggml_backend_dev_supports_op(registry_.device(1), ggml_add(context_.get(), a, a)));
    EXPECT_EQ(host_.count(Command::kSupportsOp), 3);
}

// Another thread of the parent may have held any lock at the fork.
TEST_F(DeviceTableTest, ForkedChildDoesNotLookIntoTheMemo) {
    ggml_tensor* const a = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    const ggml_tensor* const node = ggml_mul(context_.get(), a, a);
    EXPECT_FALSE(ggml_backend_dev_supports_op(device_, node));
    const pid_t child = ::fork();
    if (child == 0)
        // What a lost connection answers; the memo says otherwise.
        ::_exit(ggml_backend_dev_supports_op(device_, node) ? 0 : 1);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace virtgpu::frontend
