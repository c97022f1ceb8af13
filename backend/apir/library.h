// The library inside a virglrenderer.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "backend/apir/callback_regions.h"
#include "backend/apir/file_log.h"
#include "backend/apir/forward_server.h"
#include "backend/host.h"

namespace virtgpu::backend {

// Everything behind the C interface. Thread safe: contexts have a thread each. Hosts are made for
// the backends that contexts ask for, and stay, because ggml cannot unload a backend that has
// threads.
class Library {
 public:
    Library();

    // The return codes of the C functions of the same names.
    uint32_t initialize(uint32_t context, const apir_callbacks& callbacks);
    void deinit(uint32_t context);
    // The reply's end, or nothing where there is no room for it.
    struct Answer {
        uint32_t code = 0;
        size_t size = 0;
    };
    Answer dispatch(uint32_t context, uint32_t command, std::span<const std::byte> arguments,
                    std::span<std::byte> reply);

 private:
    // Why there is no value, and upstream's code for that.
    struct Failure {
        uint32_t code;
        wire::Error error;
    };
    tl::expected<Host*, Failure> host_for(const GgmlLibrary& library);
    tl::expected<std::unique_ptr<Host>, Failure> make_host(const GgmlLibrary& library);
    std::shared_ptr<ForwardServer> find(uint32_t context);

    FileLog log_;
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<Host>> hosts_;  // by path and functions
    std::map<uint32_t, std::shared_ptr<ForwardServer>> contexts_;
};

}  // namespace virtgpu::backend
