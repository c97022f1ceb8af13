// What a VMM says: vhost-user messages with descriptors, and virtqueues in memory that it shares.
#include <fuzzer/FuzzedDataProvider.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device/page_supply.h"
#include "device/vhost_user/endpoint.h"
#include "tests/fuzz/quiet_log.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/worker_source.h"
#include "wire/sys/mapped_region.h"

namespace virtgpu::fuzz {
namespace {

using vhost_user::RequestType;
using wire::FileDescriptor;

constexpr size_t kSteps = 48;
constexpr uint64_t kGuest = 0x100000;
constexpr uint64_t kVmm = 0x7f0000000000;
constexpr uint64_t kMemory = 1 << 16;
constexpr uint16_t kQueue = 8;  // descriptors
constexpr uint64_t kDescriptors = 0;
constexpr uint64_t kAvailable = 0x1000;
constexpr uint64_t kUsed = 0x2000;
constexpr uint64_t kData = 0x3000;

class Vmm {
 public:
    Vmm(const uint8_t* data, size_t size) : input_(data, size) {
        require(::ftruncate(memory_.number(), kMemory) == 0, "there is memory");
        region_ = *wire::map_region(memory_.number(), kMemory);
        std::array<int, 2> ends{};
        require(
            ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0,
            "there is a socket");
        socket_ = FileDescriptor(ends[1]);
        endpoint_ =
            *vhost_user::Endpoint::create(FileDescriptor(ends[0]), device_, guest_memory_,
                                          *channel_, *loop_, log_, [this] { closed_ = true; });
    }

    void run() {
        if (input_.ConsumeBool())
            set_up();
        for (size_t step = 0; step < kSteps && !closed_ && input_.remaining_bytes() > 0; ++step)
            take_step();
    }

 private:
    void take_step() {
        switch (input_.ConsumeIntegralInRange<int>(0, 7)) {
            case 0:
            case 1:
                return send_message();
            case 2:
                return describe();
            case 3:
                return offer();
            case 4:
                return write_bytes();
            case 5:
                return send_raw();
            default:
                return kick();
        }
    }

    // What a VMM does first, so that the queues run.
    void set_up() {
        send(RequestType::kSetProtocolFeatures, {0x402629});
        send(RequestType::kSetFeatures, {0x150000019});
        set_memory();
        words(RequestType::kSetVringSize, {0, kQueue});
        words(RequestType::kSetVringBase, {0, 0});
        set_addresses();
        set_file(RequestType::kSetVringKick, kick_.number());
        set_file(RequestType::kSetVringCall, kick_.number());
        words(RequestType::kSetVringEnable, {0, 1});
    }

    void send(RequestType type, std::vector<uint64_t> numbers, int file = -1) {
        message(static_cast<uint32_t>(type), std::as_bytes(std::span(numbers)), file);
    }
    void words(RequestType type, std::vector<uint32_t> numbers) {
        message(static_cast<uint32_t>(type), std::as_bytes(std::span(numbers)), -1);
    }
    void set_file(RequestType type, int file) { send(type, {0}, file); }
    void set_memory() {
        send(RequestType::kSetMemoryTable, {1, kGuest, kMemory, kVmm, 0}, memory_.number());
    }
    void set_addresses() {
        send(RequestType::kSetVringAddress,
             {0, kVmm + kDescriptors, kVmm + kUsed, kVmm + kAvailable, 0});
    }

    void message(uint32_t type, std::span<const std::byte> payload, int file) {
        wire::Writer writer;
        writer.number(type);
        writer.number(uint32_t{1} | (input_.ConsumeBool() ? vhost_user::Message::kNeedReply : 0U));
        writer.number(static_cast<uint32_t>(payload.size()));
        std::copy(payload.begin(), payload.end(), writer.extend(payload.size()));
        deliver(writer.bytes(), file);
    }

    void deliver(std::span<const std::byte> bytes, int file) {
        iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &vector;
        header.msg_iovlen = 1;
        if (file >= 0) {
            header.msg_control = control.data();
            header.msg_controllen = control.size();
            cmsghdr* const first = CMSG_FIRSTHDR(&header);
            first->cmsg_level = SOL_SOCKET;
            first->cmsg_type = SCM_RIGHTS;
            first->cmsg_len = CMSG_LEN(sizeof file);
            std::memcpy(CMSG_DATA(first), &file, sizeof file);
        }
        static_cast<void>(::sendmsg(socket_.number(), &header, MSG_NOSIGNAL | MSG_DONTWAIT));
        settle();
    }

    void settle() {
        static_cast<void>(loop_->run_once(std::chrono::milliseconds(0)));
        std::array<std::byte, 4096> answers{};
        static_cast<void>(::recv(socket_.number(), answers.data(), answers.size(), MSG_DONTWAIT));
    }

    int some_file() {
        switch (input_.ConsumeIntegralInRange<int>(0, 3)) {
            case 0:
                return memory_.number();
            case 1:
                return kick_.number();
            case 2:
                return other_.number();
            default:
                return -1;
        }
    }

    void send_message() {
        const uint32_t type = input_.ConsumeIntegralInRange<uint32_t>(1, 45);
        std::vector<uint64_t> numbers;
        const size_t count = input_.ConsumeIntegralInRange<size_t>(0, 9);
        constexpr uint64_t kNumbers[] = {
            0, 1, 2, kQueue, kGuest, kVmm, kMemory, UINT64_MAX, kVmm + kAvailable, kVmm + kUsed};
        for (size_t i = 0; i < count; ++i)
            numbers.push_back(input_.ConsumeBool() ? input_.PickValueInArray(kNumbers)
                                                   : input_.ConsumeIntegral<uint64_t>());
        send(static_cast<RequestType>(type), numbers, some_file());
    }

    void send_raw() {
        const auto bytes =
            input_.ConsumeBytes<uint8_t>(input_.ConsumeIntegralInRange<size_t>(0, 64));
        deliver(std::as_bytes(std::span(bytes)), some_file());
    }

    template <typename T>
    void put(uint64_t offset, T value) {
        wire::Writer writer;
        writer.number(value);
        static_cast<void>(region_->copy_in(offset, writer.bytes()));
    }

    void describe() {
        const uint64_t at =
            kDescriptors + 16 * input_.ConsumeIntegralInRange<uint64_t>(0, kQueue + 2);
        put(at, input_.ConsumeBool() ? kGuest + kData + input_.ConsumeIntegral<uint8_t>()
                                     : input_.ConsumeIntegral<uint64_t>());
        put(at + 8, input_.ConsumeBool() ? input_.ConsumeIntegralInRange<uint32_t>(0, 512)
                                         : input_.ConsumeIntegral<uint32_t>());
        put(at + 12, input_.ConsumeIntegralInRange<uint16_t>(0, 7));
        put(at + 14, input_.ConsumeIntegralInRange<uint16_t>(0, kQueue + 1));
    }

    void offer() {
        put(kAvailable + 4 + 2ULL * (index_ % kQueue),
            input_.ConsumeIntegralInRange<uint16_t>(0, kQueue));
        index_ = static_cast<uint16_t>(index_ + input_.ConsumeIntegralInRange<uint16_t>(0, 3));
        put(kAvailable + 2, index_);
        kick();
    }

    void write_bytes() {
        const auto bytes =
            input_.ConsumeBytes<uint8_t>(input_.ConsumeIntegralInRange<size_t>(0, 64));
        static_cast<void>(region_->copy_in(input_.ConsumeIntegralInRange<uint64_t>(0, kMemory),
                                           std::as_bytes(std::span(bytes))));
    }

    void kick() {
        const uint64_t one = 1;
        static_cast<void>(::write(kick_.number(), &one, sizeof one));
        settle();
    }

    FuzzedDataProvider input_;
    QuietLog log_;
    std::unique_ptr<device::EventLoop> loop_ = *device::EventLoop::create();
    apir::Renderer renderer_{worker_launcher(), {apir::Waiter::kFence}, *loop_, log_};
    std::unique_ptr<vhost_user::BackendChannel> channel_ =
        *vhost_user::BackendChannel::create(1 << 20, *loop_, log_);
    virtio::GuestMemory guest_memory_;
    gpu::Device device_{renderer_, *channel_, guest_memory_, *device::PageSupply::create(*loop_),
                        log_};
    FileDescriptor memory_{::memfd_create("guest", MFD_CLOEXEC)};
    FileDescriptor kick_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    FileDescriptor other_{::memfd_create("empty", MFD_CLOEXEC)};
    std::shared_ptr<wire::Region> region_;
    FileDescriptor socket_;
    uint16_t index_ = 0;
    bool closed_ = false;
    std::unique_ptr<vhost_user::Endpoint> endpoint_;
};

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    virtgpu::fuzz::Vmm(data, size).run();
    return 0;
}
