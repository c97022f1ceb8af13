// What a launcher does: one program, started as often as it is asked for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/sys/packet_socket.h"

namespace virtgpu::device {

// One byte to a process' socket.
enum class ProcessOrder : uint8_t {
    kEnd,
    kStop,      // answered with one byte: 1 when the process does nothing any more, 0 otherwise
    kContinue,  // after kStop
};

// Returns when the other end of `requests` is closed, and kills what still runs. A request is any
// packet with one descriptor, which the program gets as number 3, named by --control-fd. The answer
// is the process id and a socket, or the negative error number alone. The socket sends how the
// process ended, as exit status and signal, and takes orders; its end kills the process.
void launch_on_request(const std::vector<std::string>& command, wire::PacketSocket& requests);

}  // namespace virtgpu::device
