#include "backend/host.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string_view>

#include "backend/printable.h"
#include "ggml_private/plugin_abi_version.h"
#include "wire/processors.h"

namespace virtgpu::backend {

namespace {

std::string_view without_newline(std::string_view text) {
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    return text;
}

// ggml reports what it loads and every allocation at its info level, which is our debug.
void log_from_ggml(ggml_log_level level, const char* text, void* log) {
    // Backends name a guest's tensors.
    constexpr size_t kLongest = 1024;
    const std::string message = printable(without_newline(text), kLongest);
    if (message.empty())
        return;
    auto& target = *static_cast<wire::Log*>(log);
    if (level == GGML_LOG_LEVEL_WARN || level == GGML_LOG_LEVEL_ERROR)
        target.warning("ggml: {}", message);
    else
        target.debug("ggml: {}", message);
}

int threads_or_all(int threads) {
    return threads > 0 ? threads : static_cast<int>(wire::usable_processors());
}

// A CPU looks whether to stop at every node; a node may take long.
constexpr std::chrono::milliseconds kTimeToStop(5000);

struct Looking {
    std::chrono::microseconds
        guest;                       // several times what sleeping and waking costs, 50 us and more
    std::chrono::microseconds ring;  // longer than an application takes from one graph to the next
    std::chrono::microseconds patience;  // while a device computes
};
// Token by token; polling takes from the caches and the power of those who compute.
constexpr Looking kBesideProcessors{std::chrono::microseconds(500), std::chrono::microseconds(200),
                                    std::chrono::microseconds(200)};
// Also from one part of a prompt to the next, which an application prepares on a processor while
// the GPU idles. Who waits for a GPU without us polls as long as that takes, in the driver: 50 ms
// for 512 tokens of an 8 B model on an H100, after which a guest that sleeps comes 60 to 100 us
// late.
constexpr Looking kBesideGpus{std::chrono::milliseconds(100), std::chrono::milliseconds(2),
                              std::chrono::seconds(1)};

// Polling takes a processor. There is one to spare when the graphs are computed by a GPU, or on
// fewer processors than there are.
std::optional<Looking> looking_beside(const std::vector<protocol::DeviceInfo>& devices,
                                      int threads) {
    const bool computes_here =
        std::any_of(devices.begin(), devices.end(), [](const protocol::DeviceInfo& device) {
            return device.type == protocol::DeviceType::kCpu;
        });
    const unsigned busy = computes_here ? static_cast<unsigned>(threads) : 1;
    if (wire::usable_processors() <= busy)
        return std::nullopt;
    return computes_here ? kBesideProcessors : kBesideGpus;
}

// Bytes that all contexts together may hold. Each buffer is compared with its own device as well.
uint64_t memory_limit(const Limits& limits, const std::vector<protocol::DeviceInfo>& devices) {
    if (limits.memory_bytes != 0)
        return limits.memory_bytes;
    uint64_t total = 0;
    for (const protocol::DeviceInfo& device : devices) {
        if (device.memory_total == 0)  // the backend does not know
            return std::numeric_limits<uint64_t>::max();
        total += device.memory_total;
    }
    return total;
}

}  // namespace

Result<std::unique_ptr<Host>> Host::create(HostOptions options, wire::Log& log) {
    std::unique_ptr<Host> host(new Host(std::move(options), log));
    ggml_log_set(log_from_ggml, &log);
    if (!host->options_.trace_folder.empty())
        host->trace_ = TRY(wire::Trace::create(host->options_.trace_folder, "host"));
    host->catalogue_ = TRY(Catalogue::load(host->options_.catalogue, log));
    host->pinning_ = pinning_for(host->catalogue_->all(), log);
    host->memory_ =
        std::make_shared<MemoryAccount>(memory_limit(host->options_.limits, host->devices()));
    host->watchdog_ = std::make_unique<Watchdog>(host->options_.limits.graph_time, kTimeToStop,
                                                 host->options_.hung);
    host->options_.threads = threads_or_all(host->options_.threads);
    if (const auto looking = looking_beside(host->devices(), host->options_.threads)) {
        host->guest_polling_ = looking->guest;
        host->polling_.longest = looking->ring;
        host->polling_.patience = looking->patience;
    }
    return host;
}

Host::~Host() {
    ggml_log_set(nullptr, nullptr);
}

std::vector<protocol::DeviceInfo> Host::devices() const {
    std::vector<protocol::DeviceInfo> devices;
    for (uint32_t i = 0; i < catalogue_->size(); ++i)
        devices.push_back(catalogue_->describe(i));
    return devices;
}

std::shared_ptr<Session> Host::make_session(uint32_t number,
                                            std::shared_ptr<const Regions> regions) {
    auto session =
        std::make_shared<Session>(number, *catalogue_, std::move(regions), options_.limits,
                                  guest_polling_, memory_, graph_uids_, trace_.get(), log_);
    session->set_watchdog(watchdog_.get());
    return session;
}

std::vector<std::string> Host::loaded_backends() const {
    std::vector<std::string> names;
    // A ggml-rpc-server is a backend that is not registered.
    for (uint32_t i = 0; i < catalogue_->size(); ++i)
        names.emplace_back(
            ggml_backend_reg_name(ggml_backend_dev_backend_reg(*catalogue_->device(i))));
    for (size_t i = 0; i < ggml_backend_reg_count(); ++i)
        if (ggml_backend_reg_dev_count(ggml_backend_reg_get(i)) > 0)
            names.emplace_back(ggml_backend_reg_name(ggml_backend_reg_get(i)));
    return names;
}

Result<std::unique_ptr<ServedContext>> Host::open_context(uint32_t number,
                                                          std::shared_ptr<const Regions> regions,
                                                          ContextFailed failed) {
    return std::make_unique<Context>(make_session(number, std::move(regions)), options_.threads,
                                     polling_, std::move(failed));
}

std::unique_ptr<ForwardServer> Host::serve_forwards(uint32_t number,
                                                    std::shared_ptr<const Regions> regions) {
    return std::make_unique<ForwardServer>(make_session(number, std::move(regions)),
                                           options_.threads);
}

std::string Host::ggml_version() {
    return ::ggml_version();
}

int Host::plugin_abi_version() {
    const auto abi = ggml_private::plugin_abi_of(::ggml_version());
    return abi ? static_cast<int>(*abi) : 0;
}

}  // namespace virtgpu::backend
