#include "worker/device_table.h"

#include <gtest/gtest.h>

namespace virtgpu::worker {
namespace {

TEST(DeviceTable, AlignsItsColumns) {
    protocol::DeviceInfo gpu;
    gpu.name = "CUDA0";
    gpu.description = "A fast one";
    gpu.type = protocol::DeviceType::kGpu;
    gpu.memory_free = uint64_t{3} << 20;
    gpu.memory_total = uint64_t{4} << 20;
    EXPECT_EQ(device_table({gpu}),
              "NAME   TYPE    FREE MiB   TOTAL MiB  DESCRIPTION\n"
              "CUDA0  GPU            3           4  A fast one\n");
}

}  // namespace
}  // namespace virtgpu::worker
