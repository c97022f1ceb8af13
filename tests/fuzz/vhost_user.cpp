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
constexpr uint64_t kCommands = 0x4000;
constexpr uint16_t kIndirect = 4;
constexpr size_t kMostFiles = 9;

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
        switch (input_.ConsumeIntegralInRange<int>(0, 9)) {
            case 0:
            case 1:
                return send_message();
            case 6:
            case 7:
                return request();
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
        const uint64_t event_index = input_.ConsumeBool() ? uint64_t{1} << 29 : 0;
        const uint64_t indirect = input_.ConsumeIntegralInRange<int>(0, 7) != 0 ? 1U << 28 : 0;
        send(RequestType::kSetFeatures, {0x140000019 | event_index | indirect});
        set_memory();
        words(RequestType::kSetVringSize, {0, kQueue});
        words(RequestType::kSetVringBase, {0, 0});
        set_addresses();
        set_file(RequestType::kSetVringKick, kick_.number());
        set_file(RequestType::kSetVringCall, kick_.number());
        words(RequestType::kSetVringEnable, {0, 1});
    }

    using Files = std::vector<int>;

    void send(RequestType type, std::vector<uint64_t> numbers, const Files& files = {}) {
        message(static_cast<uint32_t>(type), std::as_bytes(std::span(numbers)), files);
    }
    void words(RequestType type, std::vector<uint32_t> numbers) {
        message(static_cast<uint32_t>(type), std::as_bytes(std::span(numbers)), {});
    }
    void set_file(RequestType type, int file) { send(type, {0}, {file}); }
    // In one piece or in two, the second of which is not at the start of a page.
    void set_memory() {
        const int file = memory_.number();
        if (input_.ConsumeBool())
            return send(RequestType::kSetMemoryTable, {1, kGuest, kMemory, kVmm, 0}, {file});
        constexpr uint64_t kFirst = kMemory / 2 + 64;
        send(RequestType::kSetMemoryTable,
             {2, kGuest, kFirst, kVmm, 0, kGuest + kFirst, kMemory - kFirst, kVmm + kFirst, kFirst},
             {file, file});
    }
    void set_addresses() {
        send(RequestType::kSetVringAddress,
             {0, kVmm + kDescriptors, kVmm + kUsed, kVmm + kAvailable, 0});
    }

    void message(uint32_t type, std::span<const std::byte> payload, const Files& files) {
        wire::Writer writer;
        writer.number(type);
        writer.number(uint32_t{1} | (input_.ConsumeBool() ? vhost_user::Message::kNeedReply : 0U));
        writer.number(static_cast<uint32_t>(payload.size()));
        std::copy(payload.begin(), payload.end(), writer.extend(payload.size()));
        deliver(writer.bytes(), files);
    }

    void deliver(std::span<const std::byte> bytes, const Files& files) {
        iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(kMostFiles * sizeof(int))> control{};
        msghdr header{};
        header.msg_iov = &vector;
        header.msg_iovlen = 1;
        const size_t size = files.size() * sizeof(int);
        if (size > 0) {
            header.msg_control = control.data();
            header.msg_controllen = CMSG_SPACE(size);
            cmsghdr* const first = CMSG_FIRSTHDR(&header);
            first->cmsg_level = SOL_SOCKET;
            first->cmsg_type = SCM_RIGHTS;
            first->cmsg_len = CMSG_LEN(size);
            std::memcpy(CMSG_DATA(first), files.data(), size);
        }
        static_cast<void>(::sendmsg(socket_.number(), &header, MSG_NOSIGNAL | MSG_DONTWAIT));
        settle();
    }

    void settle() {
        static_cast<void>(loop_->run_once(std::chrono::milliseconds(0)));
        std::array<std::byte, 4096> answers{};
        static_cast<void>(::recv(socket_.number(), answers.data(), answers.size(), MSG_DONTWAIT));
    }

    Files some_files() {
        const int all[] = {memory_.number(), kick_.number(), other_.number()};
        Files files;
        const bool many = input_.ConsumeIntegralInRange<int>(0, 15) == 0;
        const size_t count = input_.ConsumeIntegralInRange<size_t>(0, many ? kMostFiles : 1);
        for (size_t i = 0; i < count; ++i)
            files.push_back(input_.PickValueInArray(all));
        return files;
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
        send(static_cast<RequestType>(type), numbers, some_files());
    }

    void send_raw() {
        const auto bytes =
            input_.ConsumeBytes<uint8_t>(input_.ConsumeIntegralInRange<size_t>(0, 64));
        deliver(std::as_bytes(std::span(bytes)), some_files());
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
        Descriptor descriptor{};
        descriptor.address = input_.ConsumeBool()
                                 ? kGuest + kData + input_.ConsumeIntegral<uint8_t>()
                                 : input_.ConsumeIntegral<uint64_t>();
        descriptor.size = input_.ConsumeBool() ? input_.ConsumeIntegralInRange<uint32_t>(0, 512)
                                               : input_.ConsumeIntegral<uint32_t>();
        descriptor.flags = input_.ConsumeIntegralInRange<uint16_t>(0, 7);
        descriptor.next = input_.ConsumeIntegralInRange<uint16_t>(0, kQueue + 1);
        set_descriptor(at, descriptor);
    }

    // One that the queue takes: a chain, its readable part first, in the queue's own table or in
    // one of the data.
    void request() {
        const auto count = input_.ConsumeIntegralInRange<uint16_t>(1, kQueue - 1);
        const auto readable = input_.ConsumeIntegralInRange<uint16_t>(0, count);
        const bool indirect = input_.ConsumeIntegralInRange<int>(0, 3) == 0;
        const uint64_t table = indirect ? kData : kDescriptors;
        const uint16_t first = indirect ? 0 : 1;
        for (uint16_t i = 0; i < count; ++i) {
            constexpr uint16_t kNext = 1;
            constexpr uint16_t kWritable = 2;
            const auto flags = static_cast<uint16_t>((i + 1 < count ? kNext : 0) |
                                                     (i >= readable ? kWritable : 0));
            constexpr uint32_t kSizes[] = {0, 1, 24, 32, 104, 512};
            set_descriptor(table + 16ULL * (first + i),
                           {kGuest + kCommands + 512ULL * i, input_.PickValueInArray(kSizes), flags,
                            static_cast<uint16_t>(first + i + 1)});
        }
        if (indirect)
            set_descriptor(kDescriptors, {kGuest + table, 16U * count, kIndirect, 0});
        constexpr uint32_t kTypes[] = {0x100, 0x102, 0x106, 0x108, 0x109, 0x10c,
                                       0x200, 0x201, 0x202, 0x204, 0x207, 0x208};
        put(kCommands, input_.PickValueInArray(kTypes));
        put(kCommands + 4, input_.ConsumeIntegralInRange<uint32_t>(0, 3));
        put(kAvailable + 4 + 2ULL * (index_ % kQueue), indirect ? uint16_t{0} : first);
        put(kAvailable + 2, ++index_);
        // Where the driver wants to be told.
        put(kAvailable + 4 + 2ULL * kQueue, input_.ConsumeBool() ? index_ : uint16_t{0});
        put(kAvailable, input_.ConsumeIntegralInRange<uint16_t>(0, 1));
        kick();
    }

    struct Descriptor {
        uint64_t address;
        uint32_t size;
        uint16_t flags;
        uint16_t next;
    };
    void set_descriptor(uint64_t at, const Descriptor& descriptor) {
        put(at, descriptor.address);
        put(at + 8, descriptor.size);
        put(at + 12, descriptor.flags);
        put(at + 14, descriptor.next);
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
