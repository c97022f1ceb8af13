#pragma once

#include <memory>
#include <vector>

#include "frontend/device.h"
#include "frontend/plugin/renewable_host.h"
#include "frontend/transport/transport.h"
#include "wire/log.h"
#include "wire/trace.h"

namespace virtgpu::frontend {

// What the environment says about hosts.
struct HostChoice {
    const char* socket_path = nullptr;  // of a container's host; null or empty: the VM's devices
    bool apir_capset_only = false;      // leaves devices alone that may be a real Venus
    wire::Trace* trace = nullptr;       // of what the connections do; outlives them
};

struct FoundHost {
    std::unique_ptr<HostConnection> connection;
    RenewableHost::Connect connect;  // to the same host again
};

// Connects to the host behind the socket, or, where none is named, behind every virtio-gpu device.
// What does not work is left out, with a warning where the user can be expected to have wanted it.
// The log outlives what is returned.
std::vector<FoundHost> connect_to_hosts(const HostChoice& choice, wire::Log& log);

// Whichever level the host speaks: a FORWARD id that upstream's hosts refuse tells.
wire::Result<std::unique_ptr<HostConnection>> connect_to_host(std::unique_ptr<Transport> transport,
                                                              wire::Trace* trace, wire::Log& log);

// Whether a host is to be expected there, without talking to it.
bool host_is_there(const HostChoice& choice, wire::Log& log);

}  // namespace virtgpu::frontend
