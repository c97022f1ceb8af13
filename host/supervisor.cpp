#include "host/supervisor.h"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "device/container/refusal.h"
#include "wire/sys/accounts.h"

namespace virtgpu::host {

using device::TenantKind;
using wire::FileDescriptor;
using wire::Result;

namespace {

// A device process gives its worker 5 s.
constexpr std::chrono::seconds kEndTime{7};
// What keeps a connection from being accepted, such as the lack of descriptors, lasts.
constexpr std::chrono::milliseconds kPause{500};

sigset_t watched_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD, SIGUSR1})
        sigaddset(&signals, signal);
    return signals;
}

Result<std::vector<Listener>> make_listeners(const ListenOptions& options) {
    SocketPermissions permissions{options.mode, std::nullopt};
    if (!options.group.empty())
        permissions.group = TRY(wire::find_group(options.group));
    std::vector<Listener> listeners;
    for (const int socket : options.activated)
        listeners.push_back(TRY(Listener::adopt(socket)));
    if (!options.machines.empty())
        listeners.push_back(
            TRY(Listener::create(options.machines, SocketType::kStream, permissions)));
    if (!options.containers.empty())
        listeners.push_back(
            TRY(Listener::create(options.containers, SocketType::kPackets, permissions)));
    return listeners;
}

}  // namespace

Result<Supervisor> Supervisor::create(const ListenOptions& options, wire::Log& log) {
    auto access = TRY(AccessRule::create(options.allowed));
    auto listeners = TRY(make_listeners(options));
    const sigset_t signals = watched_signals();
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    FileDescriptor file(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!file)
        return wire::system_failure(errno, "waiting for signals");
    for (const Listener& listener : listeners)
        log.info("listening for {} on {}",
                 listener.type() == SocketType::kStream ? "VMMs" : "containers", listener.name());
    return Supervisor(std::move(listeners), std::move(access), std::move(file), log);
}

Result<std::optional<Tenant>> Supervisor::run() {
    while (true) {
        const auto waiting = TRY(wait());
        reap();
        if (told_to_end_)
            break;
        for (size_t i = 0; i < listeners_.size(); ++i) {
            if (!waiting.at(i) || !may_accept())
                continue;
            auto tenant = TRY(accept(listeners_.at(i)));
            if (tenant)
                return tenant;
        }
    }
    end_children();
    return std::optional<Tenant>();
}

bool Supervisor::may_accept() const {
    return children_.size() < kMaxTenants && std::chrono::steady_clock::now() >= next_accept_;
}

// A connection that stays in its queue keeps the listener readable: hence the pause.
void Supervisor::pause_accepting() {
    next_accept_ = std::chrono::steady_clock::now() + kPause;
}

Result<std::vector<bool>> Supervisor::wait() const {
    // Asked once: a pause that ends in between must not be waited for without a limit.
    const bool paused = std::chrono::steady_clock::now() < next_accept_;
    const short wanted = paused || children_.size() >= kMaxTenants ? 0 : POLLIN;
    std::vector<pollfd> entries{{signals_.number(), POLLIN, 0}};
    for (const Listener& listener : listeners_)
        entries.push_back({listener.number(), wanted, 0});
    // The end of a child is a signal, the end of a pause is not.
    const int timeout = paused ? static_cast<int>(kPause.count()) : -1;
    if (::poll(entries.data(), entries.size(), timeout) < 0 && errno != EINTR)
        return wire::system_failure(errno, "waiting for connections");
    std::vector<bool> waiting;
    for (size_t i = 1; i < entries.size(); ++i)
        waiting.push_back(entries[i].revents != 0);
    return waiting;
}

Result<std::optional<Tenant>> Supervisor::accept(const Listener& listener) {
    auto connection = listener.accept();
    if (!connection) {
        log_.error("{}", connection.error().message());
        pause_accepting();
        return std::optional<Tenant>();
    }
    const auto peer = peer_of(connection->number());
    if (!peer) {
        log_.error("a connection is closed: {}", peer.error().message());
        return std::optional<Tenant>();
    }
    const TenantKind kind = listener.type() == SocketType::kStream ? TenantKind::kVirtualMachine
                                                                   : TenantKind::kContainer;
    if (access_.allows(*peer))
        return serve(kind, *peer, std::move(*connection));
    log_.warning("{} is refused on {}: not among those of --allow-user and --allow-group",
                 peer->describe(), listener.name());
    // A VMM only sees that its connection ends: vhost-user has no word for it.
    if (kind == TenantKind::kContainer)
        container::refuse(
            wire::PacketSocket(std::move(*connection)),
            wire::format("user {} (uid {}) is not among those that ggml-virtgpu-host was told to "
                         "serve (--allow-user, --allow-group)",
                         wire::user_name(peer->user), peer->user));
    return std::optional<Tenant>();
}

std::optional<Tenant> Supervisor::serve(TenantKind kind, const Peer& peer,
                                        FileDescriptor connection) {
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) {
        log_.error("no process for a connection: {}", std::strerror(errno));
        pause_accepting();
        return std::nullopt;
    }
    if (child > 0) {
        children_.push_back(child);
        log_.info("device process {} serves a new {} of {}", child,
                  kind == TenantKind::kVirtualMachine ? "VM" : "container", peer.describe());
        if (children_.size() == kMaxTenants)
            log_.warning("{} tenants are served; others wait until one ends", kMaxTenants);
        return std::nullopt;
    }
    become_device_process(parent);
    return Tenant{kind, std::move(connection)};
}

void Supervisor::become_device_process(pid_t parent) {
    // Not seen by the parent's death between fork and prctl: hence the check.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent)
        ::raise(SIGTERM);
    for (Listener& listener : listeners_)
        listener.forget();
    children_.clear();
    // Which signals it wants is its own affair, but SIGTERM must not come before it has said so.
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
}

void Supervisor::reap() {
    signalfd_siginfo signal{};
    while (::read(signals_.number(), &signal, sizeof signal) == sizeof signal)
        if (signal.ssi_signo == SIGUSR1)
            std::for_each(children_.begin(), children_.end(),
                          [](pid_t child) { ::kill(child, SIGUSR1); });
        else
            told_to_end_ |= signal.ssi_signo != SIGCHLD;
    std::erase_if(children_, [this](pid_t child) {
        int status = 0;
        if (::waitpid(child, &status, WNOHANG) != child)
            return false;
        if (WIFSIGNALED(status))
            log_.error("device process {} was killed by signal {}", child, WTERMSIG(status));
        else if (WEXITSTATUS(status) != 0)
            log_.error("device process {} exited with status {}", child, WEXITSTATUS(status));
        else
            log_.info("device process {} ended", child);
        return true;
    });
}

void Supervisor::end_children() {
    for (const pid_t child : children_)
        ::kill(child, SIGTERM);
    const auto end = std::chrono::steady_clock::now() + kEndTime;
    while (!children_.empty() && std::chrono::steady_clock::now() < end) {
        constexpr int kStepMilliseconds = 100;
        pollfd entry{signals_.number(), POLLIN, 0};
        ::poll(&entry, 1, kStepMilliseconds);
        reap();
    }
    for (const pid_t child : children_) {
        log_.warning("device process {} does not end and is killed", child);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
    }
    children_.clear();
}

}  // namespace virtgpu::host
