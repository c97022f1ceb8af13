// The program, driven as the device process drives it.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/wire/polling_guest.h"
#include "wire/generated/messages.h"
#include "wire/guest_ring.h"
#include "wire/sys/mapped_region.h"
#include "wire/sys/packet_socket.h"

namespace virtgpu::worker {

// A sealed memfd and its mapping.
struct SharedMemory {
    explicit SharedMemory(size_t size, int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)
        : file(::memfd_create("test-region", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        if (::ftruncate(file.number(), static_cast<off_t>(size)) == 0 &&
            ::fcntl(file.number(), F_ADD_SEALS, seals) == 0)
            region = *wire::map_region(file.number(), size);
    }

    wire::FileDescriptor file;
    std::shared_ptr<wire::Region> region;
};

class WorkerProcess {
 public:
    explicit WorkerProcess(std::vector<std::string> options = {"--backend", "cpu"})
        : log_(::memfd_create("worker-log", MFD_CLOEXEC)) {
        auto ends = wire::PacketSocket::make_pair();
        socket_ = std::make_unique<wire::PacketSocket>(std::move(ends->first));
        options.insert(options.begin(), {VIRTGPU_WORKER, "--control-fd", "3"});
        start(options, ends->second.number());
    }
    ~WorkerProcess() {
        socket_.reset();
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
        }
    }
    WorkerProcess(const WorkerProcess&) = delete;
    WorkerProcess& operator=(const WorkerProcess&) = delete;

    template <typename T>
    void send(protocol::WorkerMessage id, const T& message, std::vector<int> files = {}) {
        wire::Writer writer;
        writer.number(static_cast<uint32_t>(id));
        (void)encode(writer, message);
        (void)socket_->send(writer.bytes(), files);
    }
    void drain() {
        wire::Writer writer;
        writer.number(static_cast<uint32_t>(protocol::WorkerMessage::kDrain));
        (void)socket_->send(writer.bytes());
    }
    // True when the worker closed its end.
    bool wait_closed() {
        auto packet = socket_->receive(std::chrono::seconds(20));
        return !packet && packet.error().fault() == wire::Fault::kLost;
    }
    void hang_up() { socket_.reset(); }

    // The next message, which must be a T; a default T when none comes.
    template <typename T>
    T expect() {
        auto packet = socket_->receive(std::chrono::seconds(20));
        if (!packet || !*packet)
            return {};
        wire::Reader reader((*packet)->bytes);
        const auto id = *reader.number<uint32_t>();
        auto message = wire::decode_worker_request(
            id, std::span<const std::byte>((*packet)->bytes).subspan(sizeof id));
        return message && std::holds_alternative<T>(*message) ? std::get<T>(*message) : T{};
    }

    // The exit code; -1 when it does not end in `timeout` or was killed.
    int wait(std::chrono::milliseconds timeout) {
        const auto end = std::chrono::steady_clock::now() + timeout;
        int status = 0;
        while (::waitpid(process_, &status, WNOHANG) == 0) {
            if (std::chrono::steady_clock::now() > end)
                return -1;
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
        }
        process_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }

    void signal(int number) const { ::kill(process_, number); }

    struct Resources {
        size_t files = 0;
        size_t threads = 0;
        size_t private_kib = 0;  // memory that the process alone has
    };
    Resources resources() const {
        const auto folder = std::filesystem::path("/proc") / std::to_string(process_);
        const auto count = [](const std::filesystem::path& path) {
            return static_cast<size_t>(
                std::distance(std::filesystem::directory_iterator(path), {}));
        };
        Resources found{count(folder / "fd"), count(folder / "task"), 0};
        std::ifstream lines(folder / "smaps_rollup");
        for (std::string word; lines >> word;)
            if (word == "Private_Dirty:")
                lines >> found.private_kib;
        return found;
    }

    std::string log() const {
        std::string text(size_t{1} << 16, '\0');
        const ssize_t size = ::pread(log_.number(), text.data(), text.size(), 0);
        text.resize(size < 0 ? 0 : static_cast<size_t>(size));
        return text;
    }

 private:
    void start(std::vector<std::string>& arguments, int socket) {
        std::vector<char*> pointers;
        for (std::string& argument : arguments)
            pointers.push_back(argument.data());
        pointers.push_back(nullptr);
        process_ = ::fork();
        if (process_ != 0)
            return;
        ::dup2(log_.number(), STDERR_FILENO);
        ::dup2(socket, 3);
        ::execv(VIRTGPU_WORKER, pointers.data());
        ::_exit(127);
    }

    wire::FileDescriptor log_;
    std::unique_ptr<wire::PacketSocket> socket_;
    pid_t process_ = -1;
};

// A guest's end of a ring in the worker.
class WorkerRing : public test::PollingGuest {
 public:
    static constexpr uint32_t kBytes = 65536;

    WorkerRing() : WorkerRing(SharedMemory(wire::RingMemory::bytes_needed(kBytes, kBytes))) {}

    void ring_doorbell() override { ::eventfd_write(doorbell.number(), 1); }

    SharedMemory memory;
    wire::FileDescriptor doorbell;
    wire::FileDescriptor completion;

 private:
    explicit WorkerRing(SharedMemory shared)
        : PollingGuest(*wire::RingMemory::create(shared.region, kBytes, kBytes)),
          memory(std::move(shared)),
          doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          completion(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
};

}  // namespace virtgpu::worker
