#include "frontend/plugin/discovery.h"

#include <algorithm>

#include "frontend/connection.h"
#include "frontend/level1/upstream_host.h"
#include "frontend/open_device.h"
#include "frontend/transport/socket_advice.h"
#include "frontend/transport/socket_transport.h"
#include "frontend/transport/virtio_gpu_nodes.h"

namespace virtgpu::frontend {

namespace {

using Hosts = std::vector<FoundHost>;
using OpenTransport = std::function<wire::Result<std::unique_ptr<Transport>>()>;

// `open_again` makes another transport to the same host.
void connect(std::unique_ptr<Transport> transport, OpenTransport open_again, wire::Trace* trace,
             Hosts& hosts, wire::Log& log) {
    const std::string name = transport->name();
    auto connection = connect_to_host(std::move(transport), trace, log);
    if (!connection) {
        log.warning("{}: no devices: {}", name, connection.error().message());
        return;
    }
    if ((*connection)->device_count() == 0)
        log.warning("{}: the host offers no devices; the log of ggml-virtgpu-host says why", name);
    hosts.push_back({std::move(*connection),
                     [open_again = std::move(open_again), trace,
                      &log]() -> wire::Result<std::unique_ptr<HostConnection>> {
                         return connect_to_host(TRY(open_again()), trace, log);
                     }});
}

void connect_socket(const HostChoice& choice, Hosts& hosts, wire::Log& log) {
    auto transport = SocketTransport::connect(choice.socket_path);
    if (!transport) {
        log.warning("{}; {}. Going on without its devices", transport.error().message(),
                    advice_about_socket(choice.socket_path));
        return;
    }
    const auto open_again = [path = std::string(choice.socket_path)] {
        return SocketTransport::connect(path.c_str());
    };
    connect(std::move(*transport), open_again, choice.trace, hosts, log);
}

wire::Result<std::unique_ptr<Transport>> open_node(const std::string& address,
                                                   bool apir_capset_only, wire::Log& log) {
    for (VirtioGpuNode& node : open_virtio_gpu_nodes(log))
        if (node.address == address)
            return open_device(node, apir_capset_only);
    return wire::fail(wire::Fault::kLost, "there is no virtio-gpu device {} any more", address);
}

void connect_nodes(const HostChoice& choice, Hosts& hosts, wire::Log& log) {
    for (VirtioGpuNode& node : open_virtio_gpu_nodes(log)) {
        auto transport = open_device(node, choice.apir_capset_only);
        if (transport)
            connect(
                std::move(*transport),
                [address = node.address, only = choice.apir_capset_only, &log] {
                    return open_node(address, only, log);
                },
                choice.trace, hosts, log);
        else if (transport.error().fault() == wire::Fault::kRefused)
            log.debug("{}: not ours: {}", node.address, transport.error().message());
        else
            log.warning("{}: no devices: {}", node.address, transport.error().message());
    }
}

bool names_a_socket(const char* path) {
    return path != nullptr && *path != '\0';
}

}  // namespace

wire::Result<std::unique_ptr<HostConnection>> connect_to_host(std::unique_ptr<Transport> transport,
                                                              wire::Trace* trace, wire::Log& log) {
    auto apir = TRY(ApirClient::start(*transport, log));
    if (apir->speaks_level2())
        return TRY(Connection::open(std::move(transport), std::move(apir), log, trace));
    return TRY(UpstreamHost::open(std::move(transport), std::move(apir), log));
}

bool host_is_there(const HostChoice& choice, wire::Log& log) {
    if (names_a_socket(choice.socket_path))
        return true;
    std::vector<VirtioGpuNode> nodes = open_virtio_gpu_nodes(log);
    return std::any_of(nodes.begin(), nodes.end(), [&](VirtioGpuNode& node) {
        const auto transport = open_device(node, choice.apir_capset_only);
        return transport || transport.error().fault() != wire::Fault::kRefused;
    });
}

std::vector<FoundHost> connect_to_hosts(const HostChoice& choice, wire::Log& log) {
    Hosts hosts;
    if (names_a_socket(choice.socket_path))
        connect_socket(choice, hosts, log);
    else
        connect_nodes(choice, hosts, log);
    return hosts;
}

}  // namespace virtgpu::frontend
