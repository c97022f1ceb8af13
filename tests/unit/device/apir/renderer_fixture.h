// A renderer, its event loop and level 1 commands for it.
#pragma once

#include "device/apir/renderer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "device/limits.h"
#include "device/page_supply.h"
#include "tests/unit/device/level1.h"

namespace virtgpu::apir {

inline constexpr uint32_t kReplies = 10;
inline constexpr uint32_t kRingRegion = 11;
inline constexpr uint32_t kCannotOpen = 4;

// A renderer with one context, a reply region and a region for a ring.
class RendererTest : public testing::Test {
 protected:
    void start(const std::string& behaviour, Waiter waiter = Waiter::kFence) {
        start(test::fake_worker(behaviour), waiter);
    }
    void start(const WorkerOptions& options, Waiter waiter = Waiter::kFence) {
        launcher_ = test::launcher_of(options);
        renderer_ = std::make_unique<Renderer>(
            *launcher_, RendererOptions{waiter, limits_, worker_per_context_}, *loop_, log_);
        context_ = add_context(1);
    }
    Context* add_context(uint32_t id) {
        Context* context = *renderer_->create_context(id, "test");
        context->attach(kReplies, replies_);
        context->attach(kRingRegion, ring_region_);
        return context;
    }
    uint32_t call(const std::vector<std::byte>& command, Context* context = nullptr) {
        (context != nullptr ? context : context_)->submit(command, {});
        std::optional<uint32_t> code;
        test::run_until(*loop_, [&] { return (code = reader_.take()).has_value(); });
        return code.value_or(~0U);
    }
    protocol::OpenStatus open(uint32_t ring) {
        EXPECT_EQ(call(test::open_ring(kReplies, ring, kRingRegion)),
                  protocol::kApirForwardSuccess);
        return static_cast<protocol::OpenStatus>(reader_.payload_word(0));
    }
    protocol::ContextState state() {
        EXPECT_EQ(call(test::ping(kReplies)), protocol::kApirForwardSuccess);
        return static_cast<protocol::ContextState>(reader_.payload_word(0));
    }

    test::RecordingLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    device::SealedMemoryAllocator allocator_{64 << 20, *device::PageSupply::create(*loop_)};
    device::SharedMemory replies_ = *allocator_.claim(4096);
    device::SharedMemory ring_region_ = *allocator_.claim(12288);
    test::ReplyReader reader_{*replies_};
    bool worker_per_context_ = false;
    device::TenantLimits limits_{};
    std::unique_ptr<WorkerLauncher> launcher_;
    std::unique_ptr<Renderer> renderer_;
    Context* context_ = nullptr;
};

}  // namespace virtgpu::apir
