#include "worker/library/library_dispatcher.h"

#include <algorithm>
#include <functional>
#include <limits>

#include "protocol/generated/structures.h"
#include "wire/forward_failure.h"

namespace virtgpu::worker {

namespace {

// What a reply page of upstream's has room for.
constexpr size_t kPayloadBytes = 16384 - sizeof(uint32_t);
// A larger one would make 1 + code the 0 that stands for no answer.
constexpr uint32_t kLargestCode =
    std::numeric_limits<uint32_t>::max() - protocol::kApirForwardSuccess - 1;

}  // namespace

LibraryDispatcher::LibraryDispatcher(uint32_t context, const ApirLibrary& library,
                                     LibraryCallbacks& callbacks, LibraryCounters& counters,
                                     wire::Log& log)
    : context_(context),
      library_(library),
      callbacks_(callbacks),
      counters_(counters),
      log_(log),
      payload_(kPayloadBytes) {}

uint32_t LibraryDispatcher::serve(const backend::ForwardRequest& request, wire::Writer& reply) {
    ++counters_.requests;
    if (request.command == static_cast<uint32_t>(protocol::ForwardCommand::kBackendGraphCompute))
        ++counters_.graphs;
    std::vector<char> arguments(request.arguments.size());
    std::transform(request.arguments.begin(), request.arguments.end(), arguments.begin(),
                   [](std::byte byte) { return static_cast<char>(byte); });
    std::fill(payload_.begin(), payload_.end(), '\0');
    char* const begin = payload_.data();
    char* const limit = begin + payload_.size();
    char* end = begin;  // upstream's library leaves it alone when it does not know a command
    const uint32_t code =
        library_.dispatcher(context_, callbacks_.functions(), request.command, arguments.data(),
                            arguments.data() + arguments.size(), begin, limit, &end);
    callbacks_.let_go_of_regions();
    reply.clear();
    if (std::less<>()(end, begin) || std::less<>()(limit, end)) {
        log_.warning("context {}: the library's reply to command {} ends outside of its place",
                     context_, request.command);
        return wire::encode_failure(request.command, reply) ? protocol::kApirForwardSuccess
                                                            : protocol::kApirForwardSuccess + 1;
    }
    std::memcpy(reply.extend(static_cast<size_t>(end - begin)), begin,
                static_cast<size_t>(end - begin));
    return protocol::kApirForwardSuccess + std::min(code, kLargestCode);
}

}  // namespace virtgpu::worker
