#include "worker/library/library_dispatcher.h"

#include <algorithm>
#include <exception>
#include <functional>
#include <limits>

#include "protocol/generated/structures.h"
#include "wire/forward_failure.h"

namespace virtgpu::worker {

using wire::Fault;
using wire::Result;

namespace {

// What a reply page of upstream's has room for.
constexpr size_t kPayloadBytes = 16384 - sizeof(uint32_t);
// A larger one would make 1 + code the 0 that stands for no answer.
constexpr uint32_t kLargestCode =
    std::numeric_limits<uint32_t>::max() - protocol::kApirForwardSuccess - 1;

}  // namespace

LibraryDispatcher::LibraryDispatcher(uint32_t context, const ApirLibrary& library,
                                     LibraryCallbacks& callbacks, LibraryCounters& counters,
                                     backend::Watchdog& watchdog, wire::Log& log)
    : context_(context),
      library_(library),
      callbacks_(callbacks),
      counters_(counters),
      watchdog_(watchdog),
      log_(log),
      payload_(kPayloadBytes) {}

uint32_t LibraryDispatcher::serve(const backend::ForwardRequest& request, wire::Writer& reply) {
    ++counters_.requests;
    if (request.command == static_cast<uint32_t>(protocol::ForwardCommand::kBackendGraphCompute))
        ++counters_.graphs;
    const auto code = call(request, reply);
    callbacks_.let_go_of_regions();
    if (code)
        return protocol::kApirForwardSuccess + std::min(*code, kLargestCode);
    log_.warning("context {}: command {} of the APIR backend library: {}", context_,
                 request.command, code.error().message());
    reply.clear();
    return wire::encode_failure(request.command, reply) ? protocol::kApirForwardSuccess
                                                        : protocol::kApirForwardSuccess + 1;
}

// Nothing forbids a library in C++ to throw; and there may be no memory for the copies.
Result<uint32_t> LibraryDispatcher::call(const backend::ForwardRequest& request,
                                         wire::Writer& reply) try {
    return call_and_copy(request, reply);
} catch (const std::exception& error) {
    return wire::fail(Fault::kSystem, "{}", error.what());
} catch (...) {
    return wire::fail(Fault::kSystem, "it threw what is no exception of C++'s library");
}

Result<uint32_t> LibraryDispatcher::call_and_copy(const backend::ForwardRequest& request,
                                                  wire::Writer& reply) {
    arguments_.resize(request.arguments.size());
    std::transform(request.arguments.begin(), request.arguments.end(), arguments_.begin(),
                   [](std::byte byte) { return static_cast<char>(byte); });
    std::fill(payload_.begin(), payload_.end(), '\0');
    char* const begin = payload_.data();
    char* const limit = begin + payload_.size();
    char* end = begin;  // upstream's library leaves it alone when it does not know a command
    const backend::Watchdog::Timed timed(&watchdog_, context_);
    const uint32_t code =
        library_.dispatcher(context_, callbacks_.functions(), request.command, arguments_.data(),
                            arguments_.data() + arguments_.size(), begin, limit, &end);
    if (std::less<>()(end, begin) || std::less<>()(limit, end))
        return wire::fail(Fault::kRefused, "its reply ends outside of its place");
    reply.clear();
    const auto size = static_cast<size_t>(end - begin);
    std::memcpy(reply.extend(size), begin, size);
    return code;
}

}  // namespace virtgpu::worker
