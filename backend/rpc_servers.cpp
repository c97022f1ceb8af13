#include "backend/rpc_servers.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <memory>

namespace virtgpu::backend {

namespace {

constexpr std::chrono::seconds kConnectTime(5);
constexpr std::chrono::seconds kAnswerTime(10);

using AddServer = ggml_backend_reg_t (*)(const char*);

bool accepts(const addrinfo& address) {
    const int client = ::socket(address.ai_family, address.ai_socktype, address.ai_protocol);
    if (client < 0)
        return false;
    ::fcntl(client, F_SETFL, O_NONBLOCK);
    bool connected = ::connect(client, address.ai_addr, address.ai_addrlen) == 0;
    if (!connected && errno == EINPROGRESS) {
        pollfd entry{client, POLLOUT, 0};
        const auto timeout = std::chrono::milliseconds(kConnectTime).count();
        int reason = ECONNREFUSED;
        socklen_t size = sizeof reason;
        connected = ::poll(&entry, 1, static_cast<int>(timeout)) > 0 &&
                    ::getsockopt(client, SOL_SOCKET, SO_ERROR, &reason, &size) == 0 && reason == 0;
    }
    ::close(client);
    return connected;
}

// ggml aborts the program where nobody listens.
Result<void> check_listens(const std::string& endpoint) {
    const size_t colon = endpoint.rfind(':');
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(endpoint.substr(0, colon).c_str(),
                                     endpoint.substr(colon + 1).c_str(), &wanted, &found);
    if (failed != 0)
        return wire::fail(Fault::kRefused, "no ggml-rpc-server at {}: {}", endpoint,
                          ::gai_strerror(failed));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, ::freeaddrinfo);
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next)
        if (accepts(*address))
            return {};
    return wire::fail(Fault::kRefused,
                      "no ggml-rpc-server listens at {}: start it there, or check the address",
                      endpoint);
}

// ggml asks without a limit of time, and aborts the program where it does not understand the
// answer. So a child asks first.
bool answers(AddServer add, const std::string& endpoint) {
    const pid_t child = ::fork();
    if (child == 0) {
        std::signal(SIGALRM, SIG_DFL);
        ::alarm(static_cast<unsigned>(kAnswerTime.count()));
        ggml_backend_reg_t const server = add(endpoint.c_str());
        ::_exit(server != nullptr && ggml_backend_reg_dev_count(server) > 0 ? 0 : 1);
    }
    int status = 0;
    return child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

}  // namespace

Result<void> check_endpoint(const std::string& endpoint) {
    const size_t colon = endpoint.rfind(':');
    uint16_t port = 0;
    if (colon != std::string::npos && colon != 0) {
        const char* const end = endpoint.data() + endpoint.size();
        const auto parsed = std::from_chars(endpoint.data() + colon + 1, end, port);
        if (parsed.ec != std::errc{} || parsed.ptr != end)
            port = 0;
    }
    if (port == 0)
        return wire::fail(Fault::kRefused, "--rpc takes HOST:PORT, not '{}'", endpoint);
    return {};
}

Result<ggml_backend_reg_t> add_rpc_server(ggml_backend_reg_t rpc, const std::string& endpoint) {
    const auto add = reinterpret_cast<AddServer>(
        ggml_backend_reg_get_proc_address(rpc, "ggml_backend_rpc_add_server"));
    if (add == nullptr)
        return wire::fail(Fault::kRefused, "ggml's backend {} takes no servers",
                          ggml_backend_reg_name(rpc));
    TRY(check_listens(endpoint));
    if (!answers(add, endpoint))
        return wire::fail(Fault::kRefused,
                          "what listens at {} does not answer as a ggml-rpc-server of ggml {}",
                          endpoint, ggml_version());
    ggml_backend_reg_t const server = add(endpoint.c_str());
    if (server == nullptr)
        return wire::fail(Fault::kLost, "the ggml-rpc-server at {} has gone", endpoint);
    return server;
}

}  // namespace virtgpu::backend
