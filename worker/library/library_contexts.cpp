#include "worker/library/library_contexts.h"

#include <utility>

#include "worker/library/library_dispatcher.h"

namespace virtgpu::worker {

namespace {

using wire::Fault;
using wire::Result;

// Upstream's code for a backend that is registered, besides 0.
constexpr uint32_t kRegistered = 6;

class NoPinning : public backend::RegionPinning {
 public:
    std::unique_ptr<backend::PinnedRegion> pin(const wire::BulkData& /*memory*/) override {
        return nullptr;
    }
};

class LibraryContext : public backend::ServedContext {
 public:
    LibraryContext(uint32_t number, const ApirLibrary& library,
                   std::unique_ptr<LibraryCallbacks> callbacks)
        : number_(number), library_(library), callbacks_(std::move(callbacks)) {}
    ~LibraryContext() override { LibraryContext::close(); }
    LibraryContext(const LibraryContext&) = delete;
    LibraryContext& operator=(const LibraryContext&) = delete;

    Result<void> start(std::shared_ptr<const backend::Regions> regions, wire::Log& log) {
        executor_ = TRY(backend::ForwardExecutor::start(
            std::make_unique<LibraryDispatcher>(number_, library_, *callbacks_, counters_, log),
            std::move(regions), {number_, log}));
        return {};
    }

    Result<void> open_ring(uint32_t /*ring*/, wire::RingMemory /*memory*/,
                           std::unique_ptr<backend::RingSignals> /*signals*/) override {
        return wire::fail(Fault::kRefused, "the APIR backend library speaks level 1 alone");
    }
    void close_ring(uint32_t /*ring*/) override {}
    Result<void> forward(backend::ForwardCall call) override {
        executor_->submit(std::move(call));
        return {};
    }
    void drain() override {
        if (executor_)
            executor_->drain();
    }
    void close() override {
        if (!executor_)
            return;
        executor_ = nullptr;  // waits for its call
        if (library_.deinit != nullptr)
            library_.deinit(number_);
    }
    backend::ContextSummary summary() const override {
        backend::ContextSummary summary;
        summary.graphs = counters_.graphs;
        summary.requests = counters_.requests;
        return summary;
    }

 private:
    const uint32_t number_;
    const ApirLibrary library_;
    const std::unique_ptr<LibraryCallbacks> callbacks_;
    LibraryCounters counters_;
    std::unique_ptr<backend::ForwardExecutor> executor_;
};

}  // namespace

Result<std::unique_ptr<LibraryContexts>> LibraryContexts::open(const std::string& path,
                                                               const backend::GgmlLibrary& ggml,
                                                               Started started, wire::Log& log) {
    const ApirLibrary library = TRY(ApirLibrary::open(path));
    LibraryCallbacks::Configuration configuration{{"apir.load_library.path", path},
                                                  {"ggml.library.path", ggml.path},
                                                  {"ggml.library.reg", ggml.reg},
                                                  {"ggml.library.init", ggml.init}};
    return std::unique_ptr<LibraryContexts>(
        new LibraryContexts(library, std::move(configuration), std::move(started), log));
}

std::shared_ptr<backend::RegionPinning> LibraryContexts::pinning() const {
    return std::make_shared<NoPinning>();
}

Result<std::unique_ptr<backend::ServedContext>> LibraryContexts::open_context(
    uint32_t number, std::shared_ptr<const backend::Regions> regions,
    backend::ContextFailed /*failed*/) {
    if (std::exchange(used_, true))
        return wire::fail(Fault::kRefused, "the APIR backend library has had its one context");
    auto callbacks = std::make_unique<LibraryCallbacks>(number, configuration_, regions);
    const uint32_t code = library_.initialize(number, callbacks->functions());
    callbacks->let_go_of_regions();
    if (code != 0 && code != kRegistered)
        return wire::fail(Fault::kRefused,
                          "the APIR backend library does not start, its code is {}; see its own "
                          "messages, and docs/interop.md for the codes",
                          code);
    TRY(started_());
    auto context = std::make_unique<LibraryContext>(number, library_, std::move(callbacks));
    TRY(context->start(std::move(regions), log_));
    return std::unique_ptr<backend::ServedContext>(std::move(context));
}

}  // namespace virtgpu::worker
