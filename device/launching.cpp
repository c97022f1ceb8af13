#include "device/launching.h"

#include <poll.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <list>

#include "device/child_process.h"
#include "wire/writer.h"

namespace virtgpu::device {

using wire::PacketSocket;
using wire::Result;

namespace {

constexpr int kControlDescriptor = 3;
constexpr std::chrono::milliseconds kAtOnce(0);

struct Launched {
    ChildProcess process;
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
            entries.push_back({one.process.end_descriptor(), POLLIN, 0});
            entries.push_back({one.handle.number(), POLLIN, 0});
        }
        if (::poll(entries.data(), entries.size(), -1) < 0)
            return errno == EINTR;
        auto entry = entries.begin() + 1;
        std::erase_if(launched_, [&entry](Launched& one) {
            const bool ended = (entry++)->revents != 0;
            const bool unwanted = (entry++)->revents != 0;
            if (unwanted)
                one.process.send_signal(SIGKILL);
            return (ended || unwanted) && report_end(one);
        });
        return entries.front().revents == 0 || serve_request();
    }

    static bool report_end(Launched& one) {
        const auto end = one.process.wait(std::chrono::milliseconds(-1));
        if (!end)
            return false;
        wire::Writer writer;
        writer.number(static_cast<int32_t>(end->exit_code));
        writer.number(static_cast<int32_t>(end->signal));
        static_cast<void>(one.handle.send(writer.bytes(), {}, kAtOnce));
        return true;
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
