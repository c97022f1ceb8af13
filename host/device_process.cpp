#include "host/device_process.h"

#include <ctime>

#include "wire/limited_log.h"

namespace virtgpu::host {

namespace {

// Guests make us write lines, so there is an end to them.
constexpr unsigned kLogLines = 200;
constexpr std::chrono::seconds kLogPeriod(10);

wire::Result<void> confine(sandbox::Mode mode, wire::Log& log) {
    if (mode == sandbox::Mode::kNone)
        return {};
    ::tzset();  // reads a file, which the log's times need
    const auto state = TRY(sandbox::confine_device());
    log.info("sandbox: {}", state.describe());
    return {};
}

}  // namespace

wire::Result<void> become_device_process(Tenant tenant, const device::TenantOptions& options,
                                         sandbox::Mode mode, wire::Log& log) {
    wire::LimitedLog limited(log, kLogLines, kLogPeriod);
    const auto launcher =
        TRY(apir::WorkerLauncher::start(options.worker, {tenant.socket.number()}));
    TRY(confine(mode, log));
    return device::serve_tenant(tenant.kind, std::move(tenant.socket), *launcher, options, limited);
}

}  // namespace virtgpu::host
