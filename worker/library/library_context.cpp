#include "worker/library/library_context.h"

#include <exception>
#include <utility>

#include "worker/library/library_codes.h"

namespace virtgpu::worker {

using backend::Watchdog;
using wire::Fault;
using wire::Result;

namespace {

// Nothing forbids a library in C++ to throw.
template <typename Call>
Result<void> carry_out(const Call& call) try {
    call();
    return {};
} catch (const std::exception& error) {
    return wire::fail(Fault::kRefused, "it threw {}", error.what());
} catch (...) {
    return wire::fail(Fault::kRefused, "it threw what is no exception of C++'s library");
}

}  // namespace

LibraryContext::LibraryContext(uint32_t number, const ApirLibrary& library,
                               std::unique_ptr<LibraryCallbacks> callbacks, LibraryTimes times,
                               wire::Log& log)
    : number_(number),
      library_(library),
      callbacks_(std::move(callbacks)),
      times_(times),
      log_(log) {}

LibraryContext::~LibraryContext() {
    LibraryContext::close();
}

Result<void> LibraryContext::start_library(const backend::GgmlLibrary& ggml) {
    library_started_ = true;
    uint32_t code = 0;
    const auto called =
        carry_out([&] { code = library_.initialize(number_, callbacks_->functions()); });
    if (!called)
        return wire::fail(Fault::kRefused, "the APIR backend library does not start: {}",
                          called.error().message());
    if (is_started(code))
        return {};
    return wire::fail(Fault::kRefused, "{}", why_not_started(code, ggml));
}

Result<void> LibraryContext::start_thread(std::shared_ptr<const backend::Regions> regions) {
    executor_ = TRY(backend::ForwardExecutor::start(
        std::make_unique<LibraryDispatcher>(number_, library_, *callbacks_, counters_, times_.calls,
                                            log_),
        std::move(regions), {number_, log_}));
    return {};
}

Result<void> LibraryContext::open_ring(uint32_t /*ring*/, wire::RingMemory /*memory*/,
                                       std::unique_ptr<backend::RingSignals> /*signals*/) {
    return wire::fail(Fault::kRefused, "the APIR backend library speaks level 1 alone");
}

Result<void> LibraryContext::forward(backend::ForwardCall call) {
    executor_->submit(std::move(call));
    return {};
}

void LibraryContext::drain() {
    executor_->drain();
}

void LibraryContext::close() {
    const Watchdog::Timed timed(&times_.ends, number_);
    executor_ = nullptr;
    if (!std::exchange(library_started_, false) || library_.deinit == nullptr)
        return;
    if (const auto ended = carry_out([this] { library_.deinit(number_); }); !ended)
        log_.warning("context {}: the end of the APIR backend library: {}", number_,
                     ended.error().message());
}

backend::ContextSummary LibraryContext::summary() const {
    backend::ContextSummary summary;
    summary.graphs = counters_.graphs;
    summary.requests = counters_.requests;
    return summary;
}

}  // namespace virtgpu::worker
