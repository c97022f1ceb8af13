// The virtio-gpu device: control commands with level 1 commands in them, fences, regions, rings, a
// worker that answers and a VMM that maps late or never.
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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

template <typename... Values>
std::vector<std::byte> bytes_of(Values... values) {
    wire::Writer writer;
    (writer.number(values), ...);
    return {writer.bytes().begin(), writer.bytes().end()};
}

class Driver {
 public:
    Driver(const uint8_t* data, size_t size) : input_(data, size) {
        require(::ftruncate(file_.number(), kMemory) == 0, "there is memory");
        require(memory_.add({kGuest, kMemory, 0, 0}, file_.number()).has_value(), "it is mapped");
        require(memory_.add_unusable({kUnusable, kMemory, 0, 0}).has_value(), "so is a hole");
        device_.negotiate(input_.ConsumeIntegralInRange<int>(0, 7) != 0);
    }

    void run() {
        // Starting a worker takes longer than all the rest.
        if (input_.ConsumeIntegralInRange<int>(0, 3) == 0)
            set_up();
        for (size_t step = 0; step < kSteps && input_.remaining_bytes() > 0; ++step)
            take_step();
        device_.reset();
        require(device_.has_nothing(), "a reset leaves nothing");
    }

 private:
    using Type = gpu::CommandType;
    using Level1 = protocol::ApirType;
    static constexpr uint32_t kContext = 1;
    static constexpr uint32_t kReplies = 1;  // a region
    static constexpr uint32_t kRing = 2;     // another

    // What a driver does first, so that there is a context with a worker and a ring.
    void set_up() {
        create_context(kContext, protocol::kCapsetApir);
        create_region(kReplies, 0);
        create_region(kRing, kRegion);
        submit(Level1::kHandshake, 0, {0, 2});
        submit(Level1::kLoadlibrary, 0, {});
        wait_until_answered();
        submit(Level1::kForward, kOpenRing, {0, kRing, kCapacity, kCapacity});
        wait_until_answered();
    }
    void create_context(uint32_t context, uint32_t capset) {
        auto fields = bytes_of(4U, capset);
        fields.resize(fields.size() + 64, std::byte{'a'});
        send(Type::kContextCreate, context, fields);
    }
    void create_region(uint32_t number, uint64_t place) {
        send(Type::kResourceCreateBlob, 0, bytes_of(number, 2U, 1U, 0U, uint64_t{0}, kRegion));
        send(Type::kMapBlob, 0, bytes_of(number, 0U, place));
        window_.finish(true);
        send(Type::kContextAttachResource, kContext, bytes_of(number, 0U));
    }
    // It takes a moment.
    void wait_for_worker() { static_cast<void>(loop_->run_once(std::chrono::milliseconds(20))); }
    void wait_until_answered() {
        for (int i = 0; i < 20 && answered_ < sent_; ++i)
            wait_for_worker();
    }
    // Fenced, so that it is answered when it is done.
    void submit(Level1 type, uint32_t flags, const std::vector<uint32_t>& arguments) {
        wire::Writer writer;
        for (const uint32_t word : {static_cast<uint32_t>(type), flags, kReplies})
            writer.number(word);
        for (const uint32_t word : arguments)
            writer.number(word);
        auto fields = bytes_of(static_cast<uint32_t>(writer.bytes().size()), 0U);
        fields.insert(fields.end(), writer.bytes().begin(), writer.bytes().end());
        send(Type::kSubmit3d, kContext, fields, gpu::kFlagFence);
    }
    void send(Type type, uint32_t context, const std::vector<std::byte>& fields,
              uint32_t flags = 0) {
        auto command = bytes_of(static_cast<uint32_t>(type), flags, uint64_t{0}, context, 0U);
        command.insert(command.end(), fields.begin(), fields.end());
        send(command);
    }

    void take_step() {
        switch (input_.ConsumeIntegralInRange<int>(0, 10)) {
            case 0:
                return window_.finish(input_.ConsumeBool());
            case 1:
                static_cast<void>(loop_->run_once(std::chrono::milliseconds(0)));
                return;
            case 2:
                return wait_for_worker();
            case 3:
                return send(bytes(64));
            case 4:
                return take_rare_step();
            default: {
                auto all = command();
                // Few end early.
                if (input_.ConsumeIntegralInRange<int>(0, 15) == 0)
                    all.resize(input_.ConsumeIntegralInRange<size_t>(0, all.size()));
                return send(all);
            }
        }
    }

    void take_rare_step() {
        switch (input_.ConsumeIntegralInRange<int>(0, 15)) {
            case 0:
                return device_.reset();
            case 1:
                return device_.pause();
            case 2:
                return device_.resume();
            case 3:
                return renderer_.log_counters();
            case 4:
                return renderer_.drain();
            case 5:
                return set_up();
            default:
                return renderer_.wake_waiters();
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
        constexpr Type kTypes[] = {Type::kGetDisplayInfo,
                                   Type::kResourceUnref,
                                   Type::kAttachBacking,
                                   Type::kDetachBacking,
                                   Type::kGetCapsetInfo,
                                   Type::kGetCapset,
                                   Type::kResourceCreateBlob,
                                   Type::kContextCreate,
                                   Type::kContextDestroy,
                                   Type::kContextAttachResource,
                                   Type::kContextDetachResource,
                                   Type::kResourceCreate3d,
                                   Type::kMapBlob,
                                   Type::kUnmapBlob,
                                   Type::kSubmit3d,
                                   Type::kSubmit3d,
                                   Type::kSubmit3d,
                                   Type{0x300}};
        wire::Writer writer;
        const Type type = input_.PickValueInArray(kTypes);
        writer.number(static_cast<uint32_t>(type));
        writer.number(input_.ConsumeIntegralInRange<uint32_t>(0, 3));  // flags
        writer.number(uint64_t{number()});
        writer.number(input_.ConsumeBool() ? kContext : number());
        writer.number(input_.ConsumeBool() ? 63U : number());
        add_fields(type, writer);
        return {writer.bytes().begin(), writer.bytes().end()};
    }

    void add_fields(Type type, wire::Writer& writer) {
        if (type == Type::kSubmit3d) {
            const auto level1 = level1_command();
            writer.number(static_cast<uint32_t>(level1.size()));
            writer.number(0U);
            std::copy(level1.begin(), level1.end(), writer.extend(level1.size()));
        } else if (type == Type::kResourceCreateBlob) {
            writer.number(number());
            writer.number(input_.ConsumeIntegralInRange<uint32_t>(0, 3));  // memory
            writer.number(number());
            const uint32_t runs = number_of_runs();
            writer.number(runs);
            writer.number(uint64_t{0});
            writer.number(uint64_t{size()});
            add_runs(runs, writer);
        } else if (type == Type::kAttachBacking) {
            writer.number(number());
            const uint32_t runs = number_of_runs();
            writer.number(runs);
            add_runs(runs, writer);
        } else if (type == Type::kContextCreate) {
            writer.number(input_.ConsumeBool() ? number() : input_.ConsumeIntegral<uint32_t>());
            constexpr uint32_t kCapsets[] = {protocol::kCapsetApir, protocol::kCapsetVenus, 6};
            writer.number(input_.PickValueInArray(kCapsets));
            const auto name = bytes(64);
            std::copy(name.begin(), name.end(), writer.extend(64));
        } else if (type == Type::kGetCapset) {
            constexpr uint32_t kCapsets[] = {protocol::kCapsetApir, protocol::kCapsetVenus, 6};
            writer.number(input_.PickValueInArray(kCapsets));
            writer.number(number());
        } else {
            writer.number(number());
            writer.number(0U);
            writer.number(input_.ConsumeBool() ? kRegion * number() : uint64_t{size()});
        }
    }

    uint32_t number_of_runs() {
        return input_.ConsumeIntegralInRange<int>(0, 15) == 0 ? input_.ConsumeIntegral<uint32_t>()
                                                              : number();
    }
    // Pages of guest memory, mostly; fewer than are announced where too many are.
    void add_runs(uint32_t count, wire::Writer& writer) {
        for (uint32_t i = 0; i < std::min(count, 6U); ++i) {
            const bool odd = input_.ConsumeIntegralInRange<int>(0, 15) == 0;
            writer.number(odd ? input_.ConsumeIntegral<uint64_t>()
                              : kGuest + uint64_t{number()} * 4096);
            writer.number(odd ? input_.ConsumeIntegral<uint32_t>() : (1 + number() % 2) * 4096);
            writer.number(0U);
        }
    }

    std::vector<std::byte> level1_command() {
        if (input_.ConsumeIntegralInRange<int>(0, 15) == 0)
            return bytes(40);
        wire::Writer writer;
        const uint32_t first = input_.ConsumeIntegralInRange<int>(0, 7) == 0
                                   ? static_cast<uint32_t>(protocol::kFirstTypeOnVenus)
                                   : 0;
        const uint32_t type =
            input_.ConsumeBool() ? static_cast<uint32_t>(Level1::kForward) : number();
        writer.number(first + type);
        const uint32_t flags = type == static_cast<uint32_t>(Level1::kForward) ? forward_id() : 0;
        writer.number(flags);
        writer.number(input_.ConsumeBool() ? kReplies : number());
        const size_t words = number_of_arguments(type, flags);
        writer.number(number() / 3);                             // ring, or a version
        writer.number(input_.ConsumeBool() ? kRing : number());  // region, or whether to wait
        writer.number(input_.ConsumeBool() ? kCapacity : 4096U << number());
        writer.number(input_.ConsumeBool() ? kCapacity : size());
        const auto all = writer.bytes().first((3 + words) * sizeof(uint32_t));
        return {all.begin(), all.end()};
    }

    uint32_t forward_id() {
        constexpr uint32_t kOthers[] = {0, 1, 6, 14, 22, 23, 4100, UINT32_MAX};
        return input_.ConsumeIntegralInRange<int>(0, 3) != 0
                   ? input_.ConsumeIntegralInRange<uint32_t>(kOpenRing, kOpenRing + 3)
                   : input_.PickValueInArray(kOthers);
    }
    // Just as many as a command takes, mostly.
    size_t number_of_arguments(uint32_t type, uint32_t flags) {
        if (input_.ConsumeIntegralInRange<int>(0, 7) == 0)
            return input_.ConsumeIntegralInRange<size_t>(0, 4);
        if (type == static_cast<uint32_t>(Level1::kHandshake))
            return 2;
        if (type != static_cast<uint32_t>(Level1::kForward))
            return 0;
        constexpr std::array<size_t, 4> kArguments = {4, 1, 2, 0};
        return flags >= kOpenRing && flags < kOpenRing + kArguments.size()
                   ? kArguments[flags - kOpenRing]
                   : number() % 5;
    }

    const char* behaviour() {
        constexpr const char* kBehaviours[] = {"echo",  "echo", "echo", "refuse",
                                               "break", "die",  "leave"};
        return input_.PickValueInArray(kBehaviours);
    }
    apir::RendererOptions options() {
        apir::RendererOptions options;
        options.worker_per_context = input_.ConsumeIntegralInRange<int>(0, 7) == 0;
        options.waiter = input_.ConsumeIntegralInRange<int>(0, 7) == 0 ? apir::Waiter::kClient
                                                                       : apir::Waiter::kFence;
        options.limits.level2 = input_.ConsumeIntegralInRange<int>(0, 7) != 0;
        options.limits.contexts = 4;
        options.limits.regions = 5;
        options.limits.queue_bytes = 1 << 16;
        return options;
    }

    static constexpr uint64_t kGuest = 0x100000;
    static constexpr uint64_t kUnusable = 0x200000;
    static constexpr uint64_t kMemory = 1 << 16;
    static constexpr uint64_t kRegion = 1 << 14;
    static constexpr uint32_t kCapacity = 4096;
    static constexpr auto kOpenRing = static_cast<uint32_t>(protocol::ApirForward::kOpenRing);

    FuzzedDataProvider input_;
    QuietLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    apir::Renderer renderer_{worker_launcher(behaviour()), options(), *loop_, log_};
    FuzzWindow window_;
    wire::FileDescriptor file_{::memfd_create("guest", MFD_CLOEXEC)};
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
