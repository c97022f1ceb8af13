#include "frontend/session_health.h"

namespace virtgpu::frontend {

using wire::Fault;

wire::Result<void> SessionHealth::check() {
    if (lost())
        return wire::fail(Fault::kLost, "the connection to the host is lost");
    // In the child this marks the child's own copy.
    if (!owner_.is_this())
        return lose("a process made by fork() cannot use its parent's devices");
    return {};
}

tl::unexpected<wire::Error> SessionHealth::lose(const std::string& reason) {
    if (!lost_.exchange(true, std::memory_order_acq_rel))
        log_.error("{}", reason);
    return wire::fail(Fault::kLost, "{}", reason);
}

}  // namespace virtgpu::frontend
