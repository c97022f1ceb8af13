// What a launcher does: one program, started as often as it is asked for.
#pragma once

#include <string>
#include <vector>

#include "wire/sys/packet_socket.h"

namespace virtgpu::device {

// Returns when the other end of `requests` is closed, and kills what still runs. A request is any
// packet with one descriptor, which the program gets as number 3, named by --control-fd. The answer
// is the process id and a socket, or the negative error number alone. The socket sends how the
// process ended, as exit status and signal; any packet to it, and its end, kill the process.
void launch_on_request(const std::vector<std::string>& command, wire::PacketSocket& requests);

}  // namespace virtgpu::device
