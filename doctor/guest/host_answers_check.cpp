#include "doctor/guest/host_answers_check.h"

#include <algorithm>
#include <chrono>

#include "frontend/apir_client.h"
#include "frontend/open_device.h"
#include "frontend/stderr_log.h"
#include "frontend/transport/socket_advice.h"
#include "frontend/transport/socket_transport.h"

namespace virtgpu::doctor {

namespace {

using frontend::ApirClient;
using wire::Result;

constexpr const char* kSubject = "host";
constexpr int kPings = 21;

Result<Finding> time_of_a_ping(ApirClient& client) {
    std::vector<std::chrono::nanoseconds> times;
    for (int i = 0; i < kPings; ++i) {
        const auto start = std::chrono::steady_clock::now();
        TRY(client.ping([] { return false; }));
        times.push_back(std::chrono::steady_clock::now() - start);
    }
    std::nth_element(times.begin(), times.begin() + kPings / 2, times.end());
    return ok("round trip", wire::format("{} µs to the device process, asleep",
                                         times[kPings / 2].count() / 1000));
}

Result<Findings> talk(frontend::Transport& transport) {
    const auto client = TRY(ApirClient::create(transport));
    const auto version = TRY(client->handshake());
    TRY(client->find_out_level());
    Findings findings{ok(kSubject, wire::format("{}: answers, and speaks APIR {}.{}, level {}",
                                                transport.name(), version.major, version.minor,
                                                client->speaks_level2() ? "2" : "1 alone"))};
    // Pings are of level 2.
    if (client->speaks_level2())
        findings.push_back(TRY(time_of_a_ping(*client)));
    TRY(client->load_library());
    findings.push_back(
        ok(kSubject, wire::format("{}: its compute worker starts", transport.name())));
    return findings;
}

Findings about(frontend::Transport& transport) {
    auto said = talk(transport);
    if (said)
        return std::move(*said);
    return {problem(kSubject, wire::format("{}: {}", transport.name(), said.error().message()),
                    "look into the log of ggml-virtgpu-host; " + transport.advice())};
}

}  // namespace

Findings HostAnswersCheck::examine() {
    return socket_path_.empty() ? examine_devices() : examine_socket();
}

Findings HostAnswersCheck::examine_socket() const {
    const auto transport = frontend::SocketTransport::connect(socket_path_);
    if (!transport)
        return {problem(kSubject, transport.error().message(),
                        frontend::advice_about_socket(socket_path_))};
    return about(**transport);
}

Findings HostAnswersCheck::examine_devices() {
    frontend::StderrLog log(false);
    Findings findings;
    for (frontend::VirtioGpuNode& node : frontend::open_virtio_gpu_nodes(log)) {
        const auto transport = frontend::open_device(node, false);
        if (transport) {
            for (Finding& finding : about(**transport))
                findings.push_back(std::move(finding));
        } else if (transport.error().fault() != wire::Fault::kRefused) {
            findings.push_back(
                problem(kSubject, wire::format("{}: {}", node.address, transport.error().message()),
                        "restart the VM: a device process that ended does not come back to it"));
        }
    }
    return findings;
}

}  // namespace virtgpu::doctor
