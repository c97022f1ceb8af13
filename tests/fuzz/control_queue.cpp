// The virtio-gpu device: control commands with level 1 commands in them, fences, regions, rings, a
// worker that answers and a VMM that maps late or never.
#include <fuzzer/FuzzedDataProvider.h>

#include <utility>

#include "device/gpu/device.h"
#include "device/page_supply.h"
#include "tests/fuzz/quiet_log.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/worker_source.h"
#include "wire/writer.h"

namespace virtgpu::fuzz {
namespace {

constexpr size_t kSteps = 48;

class FuzzWindow : public gpu::Window {
 public:
    uint64_t size() const override { return 1 << 20; }
    void map(std::shared_ptr<const device::SealedFile> /*file*/, Finished finished) override {
        waiting_ = std::move(finished);
    }
    void forget() override { waiting_ = {}; }
    void finish(bool well) {
        if (waiting_)
            std::exchange(waiting_, {})(well ? wire::Result<void>()
                                             : wire::fail(wire::Fault::kRefused, "no room"));
    }

 private:
    Finished waiting_;
};

class Driver {
 public:
    Driver(const uint8_t* data, size_t size) : input_(data, size) {}

    void run() {
        for (size_t step = 0; step < kSteps && input_.remaining_bytes() > 0; ++step)
            take_step();
        device_.reset();
        require(device_.has_nothing(), "a reset leaves nothing");
    }

 private:
    void take_step() {
        switch (input_.ConsumeIntegralInRange<int>(0, 9)) {
            case 0:
                return window_.finish(input_.ConsumeBool());
            case 1:
                static_cast<void>(loop_->run_once(std::chrono::milliseconds(0)));
                return;
            case 2:
                // A worker takes a moment.
                static_cast<void>(loop_->run_once(std::chrono::milliseconds(5)));
                return;
            case 3:
                return send(bytes(64));
            case 4:
                if (input_.ConsumeIntegralInRange<int>(0, 15) == 0)
                    device_.reset();
                return;
            default:
                return send(command());
        }
    }

    void send(const std::vector<std::byte>& command) {
        ++sent_;
        device_.execute(command, [this](const std::vector<std::byte>& response) {
            require(response.size() >= gpu::Header::kSize, "a response has a header");
            require(++answered_ <= sent_, "each command has one response");
        });
    }

    std::vector<std::byte> bytes(size_t most) {
        const auto text =
            input_.ConsumeBytes<uint8_t>(input_.ConsumeIntegralInRange<size_t>(0, most));
        const auto view = std::as_bytes(std::span(text));
        return {view.begin(), view.end()};
    }
    uint32_t number() { return input_.ConsumeIntegralInRange<uint32_t>(0, 6); }
    uint32_t size() {
        return input_.ConsumeBool() ? number() * 4096 : input_.ConsumeIntegral<uint32_t>();
    }

    // A command of a known type whose fields are mostly in range.
    std::vector<std::byte> command() {
        constexpr uint32_t kTypes[] = {0x100, 0x101, 0x102, 0x104, 0x108, 0x109, 0x10c, 0x200,
                                       0x201, 0x202, 0x203, 0x207, 0x208, 0x209, 0x300};
        wire::Writer writer;
        const uint32_t type = input_.PickValueInArray(kTypes);
        writer.number(type);
        writer.number(input_.ConsumeIntegralInRange<uint32_t>(0, 3));
        writer.number(uint64_t{number()});
        writer.number(number());
        writer.number(input_.ConsumeBool() ? 63U : number());
        add_fields(static_cast<gpu::CommandType>(type), writer);
        return {writer.bytes().begin(), writer.bytes().end()};
    }

    void add_fields(gpu::CommandType type, wire::Writer& writer) {
        if (type == gpu::CommandType::kSubmit3d) {
            const auto level1 = level1_command();
            writer.number(static_cast<uint32_t>(level1.size()));
            writer.number(0U);
            std::copy(level1.begin(), level1.end(), writer.extend(level1.size()));
        } else if (type == gpu::CommandType::kResourceCreateBlob) {
            writer.number(number());
            writer.number(input_.ConsumeIntegralInRange<uint32_t>(0, 3));  // memory
            writer.number(number());
            writer.number(input_.ConsumeBool() ? 0U : number());  // entries
            writer.number(uint64_t{0});
            writer.number(uint64_t{size()});
        } else if (type == gpu::CommandType::kContextCreate) {
            writer.number(number());
            writer.number(input_.ConsumeBool() ? protocol::kCapsetApir : number());
            writer.extend(64);
        } else {
            writer.number(number());
            writer.number(0U);
            writer.number(uint64_t{size()});
        }
    }

    std::vector<std::byte> level1_command() {
        if (input_.ConsumeIntegralInRange<int>(0, 7) == 0)
            return bytes(40);
        constexpr uint32_t kForwards[] = {4096, 4097, 4098, 4099, 0, 17};
        wire::Writer writer;
        writer.number(number() % 3);
        writer.number(input_.PickValueInArray(kForwards));
        writer.number(number());  // reply region
        writer.number(number());  // ring
        writer.number(number());  // region
        writer.number(4096U << number());
        writer.number(input_.ConsumeBool() ? 4096U : size());
        // Commands have just as many arguments as they take.
        const size_t words = input_.ConsumeIntegralInRange<size_t>(3, 7);
        const auto all = writer.bytes().first(words * sizeof(uint32_t));
        return {all.begin(), all.end()};
    }

    FuzzedDataProvider input_;
    QuietLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    apir::Renderer renderer_{worker_launcher(), {apir::Waiter::kFence}, *loop_, log_};
    FuzzWindow window_;
    virtio::GuestMemory memory_;
    gpu::Device device_{renderer_, window_,
                        memory_,   *device::PageSupply::create(*loop_),
                        log_,      gpu::CapsetOptions::kApirAndVenus};
    size_t sent_ = 0;
    size_t answered_ = 0;
};

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    virtgpu::fuzz::Driver(data, size).run();
    return 0;
}
