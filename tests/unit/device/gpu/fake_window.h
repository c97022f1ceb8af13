// A window whose VMM is the test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "device/gpu/window.h"

namespace virtgpu::test {

class FakeWindow : public gpu::Window {
 public:
    uint64_t size() const override { return 16 << 20; }
    void map(std::shared_ptr<const device::SealedFile> file, Finished finished) override {
        EXPECT_EQ(file->size(), size());
        ++maps;
        waiting = std::move(finished);
    }
    void forget() override { waiting = {}; }
    void finish(wire::Result<void> result) { std::exchange(waiting, {})(std::move(result)); }

    int maps = 0;
    Finished waiting;
};

}  // namespace virtgpu::test
