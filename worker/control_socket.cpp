#include "worker/control_socket.h"

namespace virtgpu::worker {

wire::Result<std::optional<ControlMessage>> ControlSocket::receive(
    std::chrono::milliseconds timeout) {
    auto packet = TRY(socket_.receive(timeout));
    if (!packet)
        return std::optional<ControlMessage>();
    wire::Reader reader(packet->bytes);
    const auto id = TRY(reader.number<uint32_t>());
    auto request = TRY(wire::decode_worker_request(
        id, std::span<const std::byte>(packet->bytes).subspan(sizeof id)));
    return std::optional(ControlMessage{std::move(request), std::move(packet->files)});
}

template <typename T>
void ControlSocket::send(protocol::WorkerMessage id, const T& message) {
    wire::Writer writer;
    writer.number(static_cast<uint32_t>(id));
    auto outcome = encode(writer, message);
    if (outcome) {
        const std::lock_guard lock(sending_);
        outcome = socket_.send(writer.bytes());
    }
    if (!outcome)
        log_.error("answering the device process: {}", outcome.error().message());
}

void ControlSocket::context_opened(uint32_t context, protocol::OpenStatus status) {
    send(protocol::WorkerMessage::kContextOpened,
         protocol::WorkerContextOpenedRequest{context, status});
}

void ControlSocket::ring_opened(uint32_t context, uint32_t ring, protocol::OpenStatus status) {
    send(protocol::WorkerMessage::kRingOpened,
         protocol::WorkerRingOpenedRequest{context, ring, status});
}

void ControlSocket::forwarded(uint32_t context, uint32_t serial) {
    send(protocol::WorkerMessage::kForwarded, protocol::WorkerForwardedRequest{context, serial});
}

void ControlSocket::context_failed(uint32_t context, const std::string& reason) {
    send(protocol::WorkerMessage::kContextFailed,
         protocol::WorkerContextFailedRequest{context, reason.substr(0, protocol::kMaxTextLength)});
}

}  // namespace virtgpu::worker
