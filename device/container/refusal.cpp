#include "device/container/refusal.h"

#include "wire/generated/codec.h"

namespace virtgpu::container {

void refuse(wire::PacketSocket client, std::string_view reason) {
    wire::Writer message;
    message.number(static_cast<uint32_t>(protocol::ContainerMessage::kRefused));
    message.number(uint32_t{0});
    // A client that is gone, or takes no messages, learns nothing.
    if (wire::encode(message, protocol::ContainerRefusedReply{std::string(reason)}))
        static_cast<void>(client.send(message.bytes(), {}, std::chrono::milliseconds(0)));
}

}  // namespace virtgpu::container
