// Listens, and starts a device process for each tenant that connects.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "host/access_rule.h"
#include "host/device_process.h"
#include "host/listener.h"
#include "wire/log.h"

namespace virtgpu::host {

struct ListenOptions {
    std::string machines;        // path of the vhost-user socket, may be empty
    std::string containers;      // path of the container socket, may be empty
    std::vector<int> activated;  // sockets that others listen on for us, to be owned
    std::optional<mode_t> mode;  // of the sockets' files
    std::string group;           // of the sockets' files, may be empty
    AllowedAccounts allowed;

    bool anywhere() const { return !machines.empty() || !containers.empty() || !activated.empty(); }
};

// At most kMaxTenants at a time; more wait in the sockets' queues until one ends. Without threads
// and without an event loop, neither of which survives a fork well.
class Supervisor {
 public:
    // Each is a process, and another with the backends and their threads once it is used.
    static constexpr size_t kMaxTenants = 64;

    static wire::Result<Supervisor> create(const ListenOptions& options, wire::Log& log);

    // Returns in two kinds of processes: nothing in this one, when SIGTERM or SIGINT came and all
    // device processes have ended; a tenant in each device process, whose caller destroys this
    // object and serves it.
    wire::Result<std::optional<Tenant>> run();

 private:
    Supervisor(std::vector<Listener> listeners, AccessRule access, wire::FileDescriptor signals,
               wire::Log& log)
        : listeners_(std::move(listeners)),
          access_(std::move(access)),
          signals_(std::move(signals)),
          log_(log) {}

    // False while all device processes that there may be exist, and for a moment after one could
    // not be started.
    bool may_accept() const;
    void pause_accepting();
    // Which listeners have somebody waiting; none while nobody is accepted.
    wire::Result<std::vector<bool>> wait() const;
    wire::Result<std::optional<Tenant>> accept(const Listener& listener);
    std::optional<Tenant> serve(device::TenantKind kind, const Peer& peer,
                                wire::FileDescriptor connection);
    void become_device_process(pid_t parent);
    void reap();
    void end_children();

    std::vector<Listener> listeners_;
    AccessRule access_;
    wire::FileDescriptor signals_;
    wire::Log& log_;
    std::vector<pid_t> children_;
    std::chrono::steady_clock::time_point next_accept_;
    bool told_to_end_ = false;
};

}  // namespace virtgpu::host
