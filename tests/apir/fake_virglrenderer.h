// virglrenderer with APIR, as far as the library that it loads can tell: dlopen, two callbacks,
// blobs in memfds of which it does not tell the size, and a thread per context.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "backend/apir/virglrenderer.h"
#include "tests/apir/guest_device.h"

namespace virtgpu::test {

class FakeVirglrenderer {
 public:
    using Initialize = decltype(&apir_backend_initialize);
    using Deinit = decltype(&apir_backend_deinit);
    using Dispatcher = decltype(&apir_backend_dispatcher);

    explicit FakeVirglrenderer(const char* library);
    ~FakeVirglrenderer();
    FakeVirglrenderer(const FakeVirglrenderer&) = delete;
    FakeVirglrenderer& operator=(const FakeVirglrenderer&) = delete;

    // The VMM's configuration, for all contexts.
    void configure(const std::string& key, const std::string& value);

    // A context is one guest process. Its number is given again when it ends.
    class Context : public GuestDevice {
     public:
        Context(FakeVirglrenderer& renderer, uint32_t number);
        ~Context() override;

        Blob create_blob(size_t size) override;
        void destroy_blob(const Blob& blob) override;
        void submit(std::span<const std::byte> command) override;
        uint32_t number() const { return number_; }
        // What the library returned when it was to start.
        uint32_t start_code() const { return start_code_; }

     private:
        void load_library(std::byte* page);
        void forward(uint32_t command, std::span<const std::byte> arguments, std::byte* page,
                     size_t size) const;

        FakeVirglrenderer& renderer_;
        const uint32_t number_;
        uint32_t start_code_ = 0;
        bool loaded_ = false;
    };

 private:
    static const char* get_config(uint32_t context, const char* key);
    static void* get_shmem_ptr(uint32_t context, uint32_t resource);

    void* library_;
    Initialize initialize_;
    Deinit deinit_;
    Dispatcher dispatcher_;
    apir_callbacks callbacks_{get_config, get_shmem_ptr};
    std::map<std::string, std::string> configuration_;
    std::mutex mutex_;
    std::map<std::pair<uint32_t, uint32_t>, Blob> blobs_;
};

}  // namespace virtgpu::test
