#include "frontend/plugin/buffer_table.h"

#include <numeric>

#include "tests/unit/frontend/plugin_fixture.h"

namespace virtgpu::frontend {
namespace {

using BufferTableTest = PluginTest;

TEST_F(BufferTableTest, DataComesBackAlsoWhereItIsLargerThanTheStagingArea) {
    ggml_tensor* const tensor = ggml_new_tensor_1d(context_.get(), GGML_TYPE_I32, 3 << 20);
    const GgmlBuffer buffer = allocate();
    std::vector<int32_t> values(3 << 20);
    std::iota(values.begin(), values.end(), 17);
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * 4);
    EXPECT_GE(host_.count(Command::kSetTensor), 3);
    std::vector<int32_t> back(values.size());
    ggml_backend_tensor_get(tensor, back.data(), 0, back.size() * 4);
    EXPECT_EQ(values, back);

    int32_t part = 0;
    ggml_backend_tensor_get(tensor, &part, 40, 4);
    EXPECT_EQ(part, 27);
}

TEST_F(BufferTableTest, NothingIsAllocatedForNothing) {
    const GgmlBuffer buffer(
        ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device_), 0));
    ASSERT_TRUE(buffer);
    EXPECT_EQ(buffer_behind(buffer.get()), nullptr);

    ggml_tensor* const empty = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 8, 0);
    ggml_tensor* const other = ggml_new_tensor_2d(context_.get(), GGML_TYPE_F32, 8, 1);
    const GgmlBuffer real = allocate();
    ggml_backend_tensor_set(empty, nullptr, 0, 0);
    ggml_backend_tensor_get(empty, nullptr, 0, 0);
    EXPECT_NE(other->data, nullptr);
    EXPECT_EQ(host_.count(Command::kSetTensor), 0);
}

TEST_F(BufferTableTest, RefusedAllocationGivesNullAndSaysWhatIsFree) {
    EXPECT_EQ(
        ggml_backend_buft_alloc_buffer(ggml_backend_dev_buffer_type(device_), kDeviceBytes + 1),
        nullptr);
    ASSERT_EQ(log_.lines().size(), 1U);
    EXPECT_THAT(log_.lines()[0], testing::HasSubstr("32.0 of 64.0 MiB are free): too large"));
}

TEST_F(BufferTableTest, SizesAreAskedOnlyWhereTheyCanDiffer) {
    const auto type = ggml_backend_dev_buffer_type(device_);
    ggml_tensor* const plain = ggml_new_tensor_1d(context_.get(), GGML_TYPE_F32, 8);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(type, plain), 32U);
    EXPECT_EQ(host_.count(Command::kGetAllocSize), 0);
    ggml_tensor* const quantized = ggml_new_tensor_1d(context_.get(), GGML_TYPE_Q8_0, 32);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(type, quantized), 100000U);
    EXPECT_EQ(ggml_backend_buft_get_alloc_size(type, quantized), 100000U);
    EXPECT_EQ(host_.count(Command::kGetAllocSize), 1);
}

}  // namespace
}  // namespace virtgpu::frontend
