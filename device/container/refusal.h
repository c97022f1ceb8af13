#pragma once

#include <string_view>

#include "wire/sys/packet_socket.h"

namespace virtgpu::container {

// Tells a client why it is not served (docs/PROTOCOL.md, REFUSED) and closes the connection.
void refuse(wire::PacketSocket client, std::string_view reason);

}  // namespace virtgpu::container
