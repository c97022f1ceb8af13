// A worker without ggml, which keeps all regions until a context is closed. What else it does, its
// --backend says:
//   echo    signals a ring's completion whenever its doorbell rings
//   refuse  opens no context
//   break   reports each context as broken when a ring is opened
//   die     exits with status 9 when a ring is opened or a FORWARD command comes
//   linger  takes a second to drain
//   leave   exits with status 9 when a context is closed
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "device/event_file.h"
#include "wire/generated/messages.h"
#include "wire/sys/packet_socket.h"

namespace {

using namespace virtgpu;

constexpr int kControl = 3;
constexpr int kDeathStatus = 9;
constexpr std::chrono::seconds kLingering{1};

struct Ring {
    device::EventFile doorbell;
    device::EventFile completion;
};

class FakeWorker {
 public:
    explicit FakeWorker(std::string behaviour)
        : behaviour_(std::move(behaviour)), socket_(wire::FileDescriptor(kControl)) {}

    int run() {
        while (true) {
            std::vector<pollfd> entries{{kControl, POLLIN, 0}};
            for (const Ring& ring : rings_)
                entries.push_back({ring.doorbell.number(), POLLIN, 0});
            ::poll(entries.data(), entries.size(), -1);
            if (entries.front().revents != 0 && !take_message())
                return 0;
            for (const Ring& ring : rings_)
                if (ring.doorbell.take() && behaviour_ == "echo")
                    ring.completion.signal();
        }
    }

 private:
    template <typename Fields>
    void send(protocol::WorkerMessage id, const Fields& fields) {
        wire::Writer writer;
        writer.number(static_cast<uint32_t>(id));
        if (wire::encode(writer, fields))
            static_cast<void>(socket_.send(writer.bytes()));
    }

    bool take_message() {
        auto packet = socket_.receive(std::chrono::milliseconds(0));
        if (!packet)
            return false;
        if (!*packet)
            return true;
        wire::Reader reader((*packet)->bytes);
        const auto id = reader.number<uint32_t>();
        const auto request =
            wire::decode_worker_request(*id, std::span((*packet)->bytes).subspan(sizeof(uint32_t)));
        if (std::holds_alternative<wire::WorkerDrainRequest>(*request)) {
            if (behaviour_ == "linger")
                std::this_thread::sleep_for(kLingering);
            return false;
        }
        if (const auto* open = std::get_if<protocol::WorkerOpenContextRequest>(&*request))
            send(protocol::WorkerMessage::kContextOpened,
                 protocol::WorkerContextOpenedRequest{
                     open->context, behaviour_ == "refuse" ? protocol::OpenStatus::kRefused
                                                           : protocol::OpenStatus::kOk});
        if (const auto* open = std::get_if<protocol::WorkerOpenRingRequest>(&*request))
            open_ring(*open, **packet);
        if (const auto* forward = std::get_if<protocol::WorkerForwardRequest>(&*request))
            answer(*forward);
        if (std::holds_alternative<protocol::WorkerAddRegionRequest>(*request) ||
            std::holds_alternative<protocol::WorkerAddGuestRegionRequest>(*request))
            loans_.push_back(std::move((*packet)->files.at(1)));
        if (std::holds_alternative<protocol::WorkerCloseContextRequest>(*request))
            close_context();
        return true;
    }

    void open_ring(const protocol::WorkerOpenRingRequest& request, wire::Packet& packet) {
        if (behaviour_ == "die")
            ::_exit(kDeathStatus);
        auto doorbell = device::EventFile::adopt(std::move(packet.files.at(0)));
        auto completion = device::EventFile::adopt(std::move(packet.files.at(1)));
        rings_.push_back({std::move(*doorbell), std::move(*completion)});
        send(protocol::WorkerMessage::kRingOpened,
             protocol::WorkerRingOpenedRequest{request.context, request.ring,
                                               protocol::OpenStatus::kOk});
        if (behaviour_ == "break")
            send(protocol::WorkerMessage::kContextFailed,
                 protocol::WorkerContextFailedRequest{request.context, "told to"});
    }

    // Without looking at what is asked, or at the reply region.
    void answer(const protocol::WorkerForwardRequest& request) {
        if (behaviour_ == "die")
            ::_exit(kDeathStatus);
        if (behaviour_ == "echo")
            send(protocol::WorkerMessage::kForwarded,
                 protocol::WorkerForwardedRequest{request.context, request.serial});
    }

    void close_context() {
        loans_.clear();
        if (behaviour_ == "leave")
            ::_exit(kDeathStatus);
    }

    std::string behaviour_;
    wire::PacketSocket socket_;
    std::vector<Ring> rings_;
    std::vector<wire::FileDescriptor> loans_;
};

}  // namespace

int main(int argc, char** argv) {
    std::string behaviour = "echo";
    for (int i = 1; i + 1 < argc; ++i)
        if (std::strcmp(argv[i], "--backend") == 0)
            behaviour = argv[i + 1];
    return FakeWorker(behaviour).run();
}
