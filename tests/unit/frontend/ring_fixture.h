// A ring of a FakeHost and what all rings share, without a Connection.
#pragma once

#include "frontend/ring_channel.h"
#include "tests/unit/frontend/fake_host.h"

namespace virtgpu::frontend {

class RingFixture : public testing::Test {
 protected:
    void open(test::FakeHost::Handler handler, RingChannel::Sizes sizes = {4096, 4096}) {
        host_ = std::make_unique<test::FakeHost>(std::move(handler));
        transport_ = host_->make_transport();
        apir_ = *ApirClient::start(*transport_, log_);
        health_ = std::make_unique<SessionHealth>(log_);
        auto channel = RingChannel::open(services(), 1, sizes);
        ASSERT_TRUE(channel) << channel.error().message();
        channel_ = std::move(*channel);
    }

    RingServices services() {
        return {*transport_, *apir_, *health_, traffic_, polling_, /*trace=*/nullptr};
    }

    test::RecordingLog log_;
    std::unique_ptr<test::FakeHost> host_;
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<ApirClient> apir_;
    std::unique_ptr<SessionHealth> health_;
    Traffic traffic_;
    std::atomic<uint32_t> polling_ = 20;
    std::unique_ptr<RingChannel> channel_;
};

}  // namespace virtgpu::frontend
