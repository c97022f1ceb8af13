#include "worker/library/library_contexts.h"

#include <utility>

#include "worker/library/library_callbacks.h"
#include "worker/library/library_context.h"

namespace virtgpu::worker {

namespace {

using wire::Fault;
using wire::Result;

class NoPinning : public backend::RegionPinning {
 public:
    std::unique_ptr<backend::PinnedRegion> pin(const wire::BulkData& /*memory*/) override {
        return nullptr;
    }
};

class NoRegions : public backend::Regions {
 public:
    Result<std::shared_ptr<wire::Region>> find(uint32_t region) const override {
        return wire::fail(Fault::kPeer, "there is no region {}", region);
    }
};

std::string seconds(std::chrono::milliseconds time) {
    return wire::format("{} s", std::chrono::duration_cast<std::chrono::seconds>(time).count());
}

std::unique_ptr<backend::Watchdog> start_watchdog(const LibraryOptions& options) {
    return std::make_unique<backend::Watchdog>(
        options.start_time, options.grace, [&options](uint32_t) {
            options.hung(wire::format(
                "the start of the APIR backend library takes longer than {} and cannot be "
                "broken off",
                seconds(options.start_time)));
        });
}

// Its constructors run then, and those of what it needs.
Result<ApirLibrary> load(const LibraryOptions& options) {
    const auto watchdog = start_watchdog(options);
    const backend::Watchdog::Timed timed(watchdog.get(), 0);
    return ApirLibrary::open(options.path);
}

}  // namespace

Result<std::unique_ptr<LibraryContexts>> LibraryContexts::open(LibraryOptions options,
                                                               wire::Log& log) {
    const ApirLibrary library = TRY(load(options));
    return std::unique_ptr<LibraryContexts>(new LibraryContexts(library, std::move(options), log));
}

LibraryContexts::LibraryContexts(const ApirLibrary& library, LibraryOptions options, wire::Log& log)
    : library_(library),
      options_(std::move(options)),
      log_(log),
      calls_(options_.call_time, options_.grace,
             [this](uint32_t context) {
                 options_.hung(
                     wire::format("a call of context {} into the APIR backend library takes longer "
                                  "than {} and cannot be broken off",
                                  context, seconds(options_.call_time)));
             }),
      ends_(options_.end_time, options_.grace, [this](uint32_t context) {
          options_.hung(wire::format(
              "the APIR backend library still works for context {}, which ended {} ago", context,
              seconds(options_.end_time)));
      }) {}

std::shared_ptr<backend::RegionPinning> LibraryContexts::pinning() const {
    return std::make_shared<NoPinning>();
}

Result<std::unique_ptr<backend::ServedContext>> LibraryContexts::open_context(
    uint32_t number, std::shared_ptr<const backend::Regions> regions,
    backend::ContextFailed /*failed*/) {
    if (std::exchange(used_, true))
        return wire::fail(Fault::kRefused, "the APIR backend library has had its one context");
    const LibraryCallbacks::Configuration configuration{{"apir.load_library.path", options_.path},
                                                        {"ggml.library.path", options_.ggml.path},
                                                        {"ggml.library.reg", options_.ggml.reg},
                                                        {"ggml.library.init", options_.ggml.init}};
    auto context = std::make_unique<LibraryContext>(
        number, library_, std::make_unique<LibraryCallbacks>(number, configuration, regions),
        LibraryTimes{calls_, ends_}, log_);
    TRY(start(*context, number));
    TRY(options_.started());
    TRY(context->start_thread(std::move(regions)));
    return std::unique_ptr<backend::ServedContext>(std::move(context));
}

Result<void> LibraryContexts::start(LibraryContext& context, uint32_t number) {
    const auto watchdog = start_watchdog(options_);
    const backend::Watchdog::Timed timed(watchdog.get(), number);
    return context.start_library(options_.ggml);
}

Result<void> LibraryContexts::try_out() {
    TRY(open_context(1, std::make_shared<NoRegions>(), {}));
    return {};
}

}  // namespace virtgpu::worker
