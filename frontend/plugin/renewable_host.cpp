#include "frontend/plugin/renewable_host.h"

namespace virtgpu::frontend {

namespace {

// ggml and applications ask once.
bool looks_the_same(const Device& one, const Device& other) {
    const Device::Capabilities a = one.capabilities();
    const Device::Capabilities b = other.capabilities();
    return one.id() == other.id() && one.type() == other.type() &&
           one.alignment() == other.alignment() &&
           one.max_buffer_size() == other.max_buffer_size() && a.async == b.async &&
           a.host_memory == b.host_memory && a.events == b.events;
}

}  // namespace

RenewableHost::RenewableHost(std::unique_ptr<HostConnection> connection,
                             std::vector<std::string> names, Connect connect, wire::Log& log)
    : names_(std::move(names)),
      connect_(std::move(connect)),
      log_(log),
      current_(make_generation(std::move(connection))) {}

std::shared_ptr<Device> RenewableHost::device(size_t index) const {
    return device_of(current_.load(), index);
}

std::shared_ptr<Device> RenewableHost::working_device(size_t index) {
    auto generation = current_.load();
    const auto is_lost = [](const Generation& one) {
        SessionHealth& health = one.connection->health();
        // A forked child only has a copy, whose locks may be held for ever.
        return health.lost() && !health.is_copy();
    };
    if (!connect_ || !is_lost(*generation))
        return device_of(generation, index);
    const std::lock_guard lock(renewing_);
    generation = current_.load();
    if (is_lost(*generation)) {
        auto fresh = connect_again(*generation);
        if (fresh) {
            log_.info("{}: connected again", names_.front());
            generation = std::move(*fresh);
            current_.store(generation);
        } else {
            log_.error("{}: {}", names_.front(), fresh.error().message());
        }
    }
    return device_of(generation, index);
}

std::shared_ptr<RenewableHost::Generation> RenewableHost::make_generation(
    std::unique_ptr<HostConnection> connection) const {
    auto made = std::make_shared<Generation>();
    made->connection = std::move(connection);
    for (size_t i = 0; i < names_.size(); ++i)
        made->devices.push_back(made->connection->make_device(static_cast<uint32_t>(i), names_[i]));
    return made;
}

wire::Result<std::shared_ptr<RenewableHost::Generation>> RenewableHost::connect_again(
    const Generation& lost) const {
    auto connection = TRY(connect_());
    if (connection->device_count() != names_.size())
        return wire::fail(wire::Fault::kRefused,
                          "the host offers {} devices now, and had {}; restart the program",
                          connection->device_count(), names_.size());
    auto fresh = make_generation(std::move(connection));
    for (size_t i = 0; i < names_.size(); ++i)
        if (!looks_the_same(*lost.devices[i], *fresh->devices[i]))
            return wire::fail(wire::Fault::kRefused,
                              "the host offers another device as {} now; restart the program",
                              names_[i]);
    return fresh;
}

}  // namespace virtgpu::frontend
