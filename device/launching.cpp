#include "device/launching.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <list>
#include <optional>

#include "device/child_process.h"
#include "wire/writer.h"

namespace virtgpu::device {

using wire::PacketSocket;
using wire::Result;

namespace {

constexpr int kControlDescriptor = 3;
constexpr std::chrono::milliseconds kAtOnce(0);
// Its threads stop where they are; one in the kernel takes a moment.
constexpr std::chrono::milliseconds kStopTime(1000);

// Kept until the other end is closed, or what it has not read yet would be lost.
struct Launched {
    std::optional<ChildProcess> process;
    PacketSocket handle;
};

class Launcher {
 public:
    Launcher(const std::vector<std::string>& command, PacketSocket& requests)
        : command_(command), requests_(requests) {
        command_.insert(command_.end(), {"--control-fd", std::to_string(kControlDescriptor)});
    }

    void run() {
        while (serve_once()) {
        }
    }

 private:
    bool serve_once() {
        std::vector<pollfd> entries{{requests_.number(), POLLIN, 0}};
        for (const Launched& one : launched_) {
            entries.push_back({one.process ? one.process->end_descriptor() : -1, POLLIN, 0});
            entries.push_back({one.handle.number(), POLLIN, 0});
        }
        if (::poll(entries.data(), entries.size(), -1) < 0)
            return errno == EINTR;
        auto entry = entries.begin() + 1;
        std::erase_if(launched_, [&entry](Launched& one) {
            if ((entry++)->revents != 0)
                report_end(one);
            return (entry++)->revents != 0 && !take_order(one);
        });
        return entries.front().revents == 0 || serve_request();
    }

    static void report_end(Launched& one) {
        const auto end = one.process->wait(std::chrono::milliseconds(-1));
        one.process.reset();
        wire::Writer writer;
        writer.number(static_cast<int32_t>(end ? end->exit_code : 0));
        writer.number(static_cast<int32_t>(end ? end->signal : SIGKILL));
        static_cast<void>(one.handle.send(writer.bytes(), {}, kAtOnce));
    }

    // False when the process is nobody's any more: then it is killed.
    static bool take_order(Launched& one) {
        const auto packet = one.handle.receive(kAtOnce);
        if (packet && *packet && one.process && (*packet)->bytes.size() == 1)
            carry_out(static_cast<ProcessOrder>((*packet)->bytes.front()), *one.process,
                      one.handle);
        return packet.has_value();
    }

    static void carry_out(ProcessOrder order, const ChildProcess& process, PacketSocket& handle) {
        switch (order) {
            case ProcessOrder::kEnd:
                return process.send_signal(SIGKILL);
            case ProcessOrder::kContinue:
                return process.send_signal(SIGCONT);
            case ProcessOrder::kStop: {
                process.send_signal(SIGSTOP);
                const std::array stopped{std::byte{process.wait_until_stopped(kStopTime)}};
                static_cast<void>(handle.send(stopped, {}, kAtOnce));
                return;
            }
        }
    }

    bool serve_request() {
        const auto packet = requests_.receive(kAtOnce);
        if (!packet)
            return false;
        if (!*packet || (*packet)->files.size() != 1)
            return true;
        return launch((*packet)->files.front().number()).has_value();
    }

    Result<void> launch(int control) {
        auto [ours, theirs] = TRY(PacketSocket::make_pair());
        auto process = ChildProcess::start(command_, {{control, kControlDescriptor}});
        wire::Writer writer;
        if (!process) {
            writer.number(-int32_t{EAGAIN});
            return requests_.send(writer.bytes());
        }
        writer.number(static_cast<int32_t>(process->pid()));
        const std::array files{theirs.number()};
        TRY(requests_.send(writer.bytes(), files));
        launched_.push_back({std::move(*process), std::move(ours)});
        return {};
    }

    std::vector<std::string> command_;
    PacketSocket& requests_;
    std::list<Launched> launched_;
};

}  // namespace

void launch_on_request(const std::vector<std::string>& command, PacketSocket& requests) {
    Launcher(command, requests).run();
}

}  // namespace virtgpu::device
