#include "device/tenant.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>

#include "device/container/endpoint.h"
#include "device/page_supply.h"
#include "device/vhost_user/endpoint.h"

namespace virtgpu::device {

using wire::FileDescriptor;
using wire::Result;

namespace {

constexpr std::chrono::milliseconds kDrainTime{5000};

Result<FileDescriptor> catch_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    FileDescriptor file(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!file)
        return wire::system_failure(errno, "waiting for signals");
    return file;
}

// Serves until the tenant leaves or a signal comes.
class Service {
 public:
    static Result<std::unique_ptr<Service>> create() {
        auto loop = TRY(EventLoop::create());
        auto signals = TRY(catch_signals());
        std::unique_ptr<Service> service(new Service(std::move(loop), std::move(signals)));
        service->watch_ =
            TRY(service->loop_->watch(service->signals_.number(), Interest::kReadable,
                                      [self = service.get()] { self->take_signal(); }));
        return service;
    }

    EventLoop& loop() { return *loop_; }

    Result<void> run(apir::Renderer& renderer, wire::Log& log) {
        log_counters_ = [&renderer] { renderer.log_counters(); };
        TRY(loop_->run());
        if (told_to_end_)
            log.info("ending: the worker finishes what it has");
        else
            renderer.destroy_all_contexts();
        // Fences are still completed, and the worker says what it has done, before it is killed.
        renderer.drain();
        const auto end = std::chrono::steady_clock::now() + kDrainTime;
        while (!renderer.workers_ended()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                end - std::chrono::steady_clock::now());
            if (left.count() <= 0) {
                log.warning("the worker did not finish within {} ms", kDrainTime.count());
                break;
            }
            TRY(loop_->run_once(left));
        }
        return {};
    }

 private:
    Service(std::unique_ptr<EventLoop> loop, FileDescriptor signals)
        : loop_(std::move(loop)), signals_(std::move(signals)) {}

    void take_signal() {
        signalfd_siginfo signal{};
        if (::read(signals_.number(), &signal, sizeof signal) != sizeof signal)
            return;
        if (signal.ssi_signo == SIGUSR1)
            return log_counters_();
        told_to_end_ = true;
        loop_->stop();
    }

    std::unique_ptr<EventLoop> loop_;
    FileDescriptor signals_;
    std::function<void()> log_counters_;
    bool told_to_end_ = false;
    Watch watch_;
};

apir::RendererOptions renderer_options(apir::Waiter waiter, const TenantOptions& options) {
    return {waiter, options.limits, options.worker_per_context};
}

Result<void> serve_machine(FileDescriptor socket, apir::WorkerLauncher& launcher,
                           const TenantOptions& options, wire::Log& log) {
    const auto service = TRY(Service::create());
    EventLoop& loop = service->loop();
    apir::Renderer renderer(launcher, renderer_options(apir::Waiter::kFence, options), loop, log);
    const auto channel = TRY(vhost_user::BackendChannel::create(options.window_size, loop, log));
    virtio::GuestMemory memory;
    gpu::Device device(renderer, *channel, memory, TRY(PageSupply::create(loop)), log,
                       options.capsets);
    log.info("a VMM connected");
    const auto endpoint = TRY(vhost_user::Endpoint::create(
        std::move(socket), device, memory, *channel, loop, log, [&] { loop.stop(); }));
    return service->run(renderer, log);
}

Result<void> serve_container(FileDescriptor socket, apir::WorkerLauncher& launcher,
                             const TenantOptions& options, wire::Log& log) {
    const auto service = TRY(Service::create());
    EventLoop& loop = service->loop();
    apir::Renderer renderer(launcher, renderer_options(apir::Waiter::kClient, options), loop, log);
    log.info("a client connected");
    const auto endpoint = TRY(container::Endpoint::create(wire::PacketSocket(std::move(socket)),
                                                          renderer, options.container_window_size,
                                                          loop, log, [&] { loop.stop(); }));
    return service->run(renderer, log);
}

}  // namespace

Result<void> serve_tenant(TenantKind kind, FileDescriptor socket, apir::WorkerLauncher& launcher,
                          const TenantOptions& options, wire::Log& log) {
    return kind == TenantKind::kVirtualMachine
               ? serve_machine(std::move(socket), launcher, options, log)
               : serve_container(std::move(socket), launcher, options, log);
}

}  // namespace virtgpu::device
