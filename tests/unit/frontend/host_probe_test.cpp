#include "frontend/host_probe.h"

#include <gtest/gtest.h>

#include <array>

#include "frontend/reply_page.h"
#include "tests/unit/frontend/fake_host.h"

namespace virtgpu::frontend {
namespace {

using Clock = std::chrono::steady_clock;

struct Page {
    alignas(uint64_t) std::array<std::byte, ReplyPage::kBytes> bytes{};
};

class PlainMemory : private Page, public wire::Region {
 public:
    PlainMemory() : Region(bytes.data(), bytes.size()) {}
};

class PlainRegion : public SharedRegion {
 public:
    explicit PlainRegion(uint32_t number) : SharedRegion(number, std::make_shared<PlainMemory>()) {}
};

// A real Venus: it takes commands and never says a word.
class VenusTransport : public Transport {
 public:
    std::string name() const override { return "venus"; }
    std::string advice() const override { return {}; }
    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size) override {
        EXPECT_LE(size, sizeof(Page));
        return std::make_unique<PlainRegion>(++regions_);
    }
    wire::Result<void> submit(std::span<const std::byte> /*command*/) override {
        ++submitted;
        return {};
    }
    wire::Result<void> open_signals(uint32_t /*ring*/) override { return {}; }
    void close_signals(uint32_t /*ring*/) override {}
    wire::Result<void> doorbell(uint32_t /*ring*/) override { return {}; }
    wire::Result<void> wait(uint32_t /*ring*/, std::chrono::microseconds /*timeout*/) override {
        return {};
    }
    bool connected() const override { return true; }

    int submitted = 0;

 private:
    uint32_t regions_ = 0;
};

TEST(HostProbe, GivesAVenusUpAfterTheProbeTime) {
    VenusTransport transport;
    const auto start = Clock::now();
    const auto answer = expect_host(transport);
    const auto waited = Clock::now() - start;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().fault(), wire::Fault::kRefused);
    EXPECT_GE(waited, kProbeTime);
    EXPECT_LT(waited, kProbeTime + std::chrono::seconds(10)) << "not for ever";
    EXPECT_EQ(transport.submitted, 1) << "asked once";
}

TEST(HostProbe, FindsAHost) {
    test::FakeHost host([](protocol::Command, std::span<const std::byte>) {
        return test::refused("nothing is asked");
    });
    const auto transport = host.make_transport();
    EXPECT_TRUE(expect_host(*transport));
}

}  // namespace
}  // namespace virtgpu::frontend
