#include "backend/apir/library.h"

#include <algorithm>
#include <cstdlib>

#include "backend/apir/library_codes.h"

namespace virtgpu::backend {

namespace {

// Upstream's code of the dispatcher for what it does not know.
constexpr uint32_t kNoSuchCommand = 6;

// A value of the VMM's, else the variable that stands for it.
std::string configured(uint32_t context, const apir_callbacks& callbacks, const char* key,
                       const char* variable) {
    const char* value =
        callbacks.get_config == nullptr ? nullptr : callbacks.get_config(context, key);
    if (value == nullptr || *value == '\0')
        value = std::getenv(variable);
    return value == nullptr ? std::string() : value;
}

GgmlLibrary ggml_library(uint32_t context, const apir_callbacks& callbacks) {
    const auto value = [&](const char* key, const char* variable) {
        return configured(context, callbacks, key, variable);
    };
    return {value("ggml.library.path", "APIR_LLAMA_CPP_GGML_LIBRARY_PATH"),
            value("ggml.library.reg", "APIR_LLAMA_CPP_GGML_LIBRARY_REG"),
            value("ggml.library.init", "APIR_LLAMA_CPP_GGML_LIBRARY_INIT")};
}

}  // namespace

Library::Library() : log_(std::getenv("APIR_LLAMA_CPP_LOG_TO_FILE")) {}

tl::expected<Host*, Library::Failure> Library::host_for(const GgmlLibrary& library) {
    auto& host = hosts_[library.path + '\n' + library.reg + '\n' + library.init];
    if (host)
        return host.get();
    return make_host(library).map([&host](std::unique_ptr<Host>&& made) {
        host = std::move(made);
        return host.get();
    });
}

tl::expected<std::unique_ptr<Host>, Library::Failure> Library::make_host(
    const GgmlLibrary& library) {
    const auto with = [](auto code) {
        return [code](wire::Error&& error) { return Failure{number_of(code), std::move(error)}; };
    };
    // Without a path it is not for us to choose among what is installed.
    return open_ggml_library(library)
        .map_error(
            with(library.path.empty() ? LibraryCode::kEnvVarMissing : LibraryCode::kCannotOpen))
        .and_then([&](void* handle) {
            return find_ggml_functions(handle, library)
                .map_error(with(LibraryCode::kSymbolMissing));
        })
        .and_then([&](const GgmlFunctions& functions) {
            return register_ggml_backend(functions, library)
                .map_error(with(StartCode::kBackendRegFailed));
        })
        .and_then([&](ggml_backend_reg_t backend) {
            HostOptions options;
            options.catalogue.registered = {backend};
            return Host::create(options, log_).map_error(with(StartCode::kNoDevice));
        });
}

uint32_t Library::initialize(uint32_t number, const apir_callbacks& callbacks) {
    const std::lock_guard lock(mutex_);
    // LOADLIBRARY a second time.
    if (contexts_.contains(number))
        return 0;
    const auto host = host_for(ggml_library(number, callbacks));
    if (!host) {
        log_.error("context {}: {}", number, host.error().error.message());
        return host.error().code;
    }
    std::shared_ptr<ForwardServer> server =
        (*host)->serve_forwards(number, std::make_shared<CallbackRegions>(number, callbacks));
    if (const auto started = server->start(); !started) {
        log_.error("context {}: {}", number, started.error().message());
        return number_of(StartCode::kBackendInitFailed);
    }
    contexts_.emplace(number, std::move(server));
    return 0;
}

void Library::deinit(uint32_t context) {
    std::shared_ptr<ForwardServer> ended;  // outside the lock
    const std::lock_guard lock(mutex_);
    if (const auto found = contexts_.find(context); found != contexts_.end()) {
        ended = std::move(found->second);
        contexts_.erase(found);
    }
}

std::shared_ptr<ForwardServer> Library::find(uint32_t context) {
    const std::lock_guard lock(mutex_);
    const auto found = contexts_.find(context);
    return found == contexts_.end() ? nullptr : found->second;
}

Library::Answer Library::dispatch(uint32_t number, uint32_t command,
                                  std::span<const std::byte> arguments,
                                  std::span<std::byte> reply) {
    const auto server = find(number);
    if (!server)
        return {kNoSuchCommand, 0};
    wire::Writer writer;
    const uint32_t code = server->serve({command, arguments}, writer);
    const auto payload = writer.bytes();
    if (payload.size() > reply.size())
        return {kNoSuchCommand, 0};
    std::copy(payload.begin(), payload.end(), reply.begin());
    return {code - protocol::kApirForwardSuccess, payload.size()};
}

}  // namespace virtgpu::backend
