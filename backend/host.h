// The library's door for C++ programs: the compute worker, and tests. The C entry points that
// virglrenderer looks for are made of the same objects.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/apir/forward_server.h"
#include "backend/catalogue.h"
#include "backend/context_source.h"
#include "backend/executor.h"
#include "backend/export.h"
#include "backend/session.h"

namespace virtgpu::backend {

struct HostOptions {
    CatalogueOptions catalogue;
    int threads = 0;  // per stream of a CPU backend; 0: one per processor
    Limits limits;
    std::string trace_folder;  // empty: nothing is traced
    // A graph of this context does not end, and stopping it did not help. Called from a thread of
    // its own; the process should end.
    Watchdog::Hung hung = [](uint32_t) {};
};

// A session and the executors of its rings. The methods are for one thread.
class VIRTGPU_EXPORT Context : public ServedContext {
 public:
    Context(std::shared_ptr<Session> session, int threads, Polling polling, ContextFailed failed);
    // Stops all rings and waits for what they compute.
    ~Context() override;
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    Result<void> open_ring(uint32_t ring, wire::RingMemory memory,
                           std::unique_ptr<RingSignals> signals) override;
    void close_ring(uint32_t ring) override;
    Result<void> forward(ForwardCall call) override;
    void drain() override;
    void close() override;

    ContextSummary summary() const override;

 private:
    // Gives back the threads and streams of rings that were closed.
    void forget_finished();

    const std::shared_ptr<Session> session_;
    const int threads_;
    const Polling polling_;
    const ContextFailed failed_;
    std::map<uint32_t, std::unique_ptr<Executor>> executors_;
    // Closed, perhaps still computing.
    std::vector<std::unique_ptr<Executor>> closing_;
    // Of a guest with upstream's frontend alone.
    std::unique_ptr<ForwardExecutor> forwards_;
};

// One per process, because ggml's registry and its log are. Keeps a reference to the log.
class VIRTGPU_EXPORT Host : public ContextSource {
 public:
    // Loads the backends. Fault::kRefused with a message that says what to do.
    static Result<std::unique_ptr<Host>> create(HostOptions options, wire::Log& log);
    ~Host() override;
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    std::vector<protocol::DeviceInfo> devices() const;
    // ggml's names of the backends that have devices, offered or not, and may come twice.
    std::vector<std::string> loaded_backends() const;
    std::shared_ptr<RegionPinning> pinning() const override { return pinning_; }
    Result<std::unique_ptr<ServedContext>> open_context(uint32_t number,
                                                        std::shared_ptr<const Regions> regions,
                                                        ContextFailed failed) override;
    // A context of upstream's level 1 commands alone, in the caller's thread. Must not outlive this
    // object.
    std::unique_ptr<ForwardServer> serve_forwards(uint32_t number,
                                                  std::shared_ptr<const Regions> regions);

    // Of the ggml that the library runs with.
    static std::string ggml_version();
    // Version of ggml's plug-in interface that its backends must have; 0 for one that we do not
    // know.
    static int plugin_abi_version();

 private:
    Host(HostOptions options, wire::Log& log) : options_(std::move(options)), log_(log) {}

    std::shared_ptr<Session> make_session(uint32_t number, std::shared_ptr<const Regions> regions);

    HostOptions options_;
    wire::Log& log_;
    std::unique_ptr<wire::Trace> trace_;
    std::unique_ptr<Catalogue> catalogue_;
    std::shared_ptr<RegionPinning> pinning_;
    std::shared_ptr<MemoryAccount> memory_;
    std::shared_ptr<GraphUids> graph_uids_ = std::make_shared<GraphUids>(0);
    std::unique_ptr<Watchdog> watchdog_;
    Polling polling_;                             // of the rings
    std::chrono::microseconds guest_polling_{0};  // that guests are allowed
};

}  // namespace virtgpu::backend
