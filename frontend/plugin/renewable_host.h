#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "frontend/device.h"

namespace virtgpu::frontend {

// A host as an application knows it: the same devices over one connection, or over a fresh one
// after that was lost (docs/decisions/0045-a-fresh-context-after-a-loss.md). Thread safe.
class RenewableHost {
 public:
    using Connect = std::function<wire::Result<std::unique_ptr<HostConnection>>()>;

    // `names` has one for each device. Where `connect` is empty, lost is lost. `log` outlives the
    // host.
    RenewableHost(std::unique_ptr<HostConnection> connection, std::vector<std::string> names,
                  Connect connect, wire::Log& log);

    // Of the connection in use, which lives as long as any pointer to any of its devices.
    std::shared_ptr<Device> device(size_t index) const;
    // The same for what needs a connection that works: connects again where it is known to be lost.
    std::shared_ptr<Device> working_device(size_t index);
    wire::Log& log() const { return log_; }

 private:
    struct Generation {
        std::unique_ptr<HostConnection> connection;
        std::vector<std::unique_ptr<Device>> devices;
    };

    static std::shared_ptr<Device> device_of(const std::shared_ptr<Generation>& generation,
                                             size_t index) {
        return {generation, generation->devices.at(index).get()};
    }
    std::shared_ptr<Generation> make_generation(std::unique_ptr<HostConnection> connection) const;
    wire::Result<std::shared_ptr<Generation>> connect_again(const Generation& lost) const;

    const std::vector<std::string> names_;
    const Connect connect_;
    wire::Log& log_;
    std::mutex renewing_;
    std::atomic<std::shared_ptr<Generation>> current_;
};

}  // namespace virtgpu::frontend
