#include "backend/cuda_pinning.h"

#include <dlfcn.h>

#include <mutex>

namespace virtgpu::backend {

namespace {

// From the driver's documented interface, whose numbers never change.
using CudaResult = int;
using CudaDevice = int;
using CudaContext = void*;
constexpr CudaResult kSuccess = 0;
constexpr unsigned kPortable = 1;  // CU_MEMHOSTREGISTER_PORTABLE: for all GPUs

struct Driver {
    CudaResult (*device_at)(CudaDevice* device, const char* bus_id);
    CudaResult (*retain_context)(CudaContext* context, CudaDevice device);
    CudaResult (*release_context)(CudaDevice device);
    CudaResult (*push_context)(CudaContext context);
    CudaResult (*pop_context)(CudaContext* context);
    CudaResult (*register_memory)(void* memory, size_t size, unsigned flags);
    CudaResult (*unregister_memory)(void* memory);
};

template <typename Function>
bool find(void* library, const char* name, Function*& function) {
    function = reinterpret_cast<Function*>(::dlsym(library, name));
    return function != nullptr;
}

bool find_all(void* library, Driver& driver) {
    return find(library, "cuDeviceGetByPCIBusId", driver.device_at) &&
           find(library, "cuDevicePrimaryCtxRetain", driver.retain_context) &&
           find(library, "cuDevicePrimaryCtxRelease_v2", driver.release_context) &&
           find(library, "cuCtxPushCurrent_v2", driver.push_context) &&
           find(library, "cuCtxPopCurrent_v2", driver.pop_context) &&
           find(library, "cuMemHostRegister_v2", driver.register_memory) &&
           find(library, "cuMemHostUnregister", driver.unregister_memory);
}

// The context that the CUDA runtime, and so ggml, uses as well; current for a thread while this
// lives.
class CurrentContext {
 public:
    CurrentContext(const Driver& driver, CudaContext context) : driver_(driver) {
        current_ = context != nullptr && driver.push_context(context) == kSuccess;
    }
    ~CurrentContext() {
        CudaContext popped = nullptr;
        if (current_)
            driver_.pop_context(&popped);
    }
    CurrentContext(const CurrentContext&) = delete;
    CurrentContext& operator=(const CurrentContext&) = delete;

    explicit operator bool() const { return current_; }

 private:
    const Driver& driver_;
    bool current_;
};

class CudaRegion : public PinnedRegion {
 public:
    CudaRegion(const Driver& driver, CudaContext context, void* memory)
        : driver_(driver), context_(context), memory_(memory) {}
    ~CudaRegion() override {
        if (const CurrentContext current(driver_, context_); current)
            driver_.unregister_memory(memory_);
    }
    CudaRegion(const CudaRegion&) = delete;
    CudaRegion& operator=(const CudaRegion&) = delete;

 private:
    const Driver& driver_;
    const CudaContext context_;
    void* const memory_;
};

class CudaPinning : public RegionPinning {
 public:
    CudaPinning(const Driver& driver, CudaDevice device, wire::Log& log)
        : driver_(driver), device_(device), log_(log) {}
    ~CudaPinning() override {
        if (context_ != nullptr)
            driver_.release_context(device_);
    }
    CudaPinning(const CudaPinning&) = delete;
    CudaPinning& operator=(const CudaPinning&) = delete;

    std::unique_ptr<PinnedRegion> pin(const wire::BulkData& memory) override {
        CudaContext const context = this->context();
        const CurrentContext current(driver_, context);
        if (!current)
            return nullptr;
        const CudaResult result = driver_.register_memory(memory.data(), memory.size(), kPortable);
        if (result != kSuccess) {
            log_.debug("{} bytes are not pinned: CUDA error {}", memory.size(), result);
            return nullptr;
        }
        log_.debug("{} bytes are pinned", memory.size());
        return std::make_unique<CudaRegion>(driver_, context, memory.data());
    }

 private:
    // Made with the first region: it takes some hundred megabytes of the GPU, and time.
    CudaContext context() {
        const std::lock_guard lock(mutex_);
        if (context_ == nullptr && driver_.retain_context(&context_, device_) != kSuccess)
            context_ = nullptr;
        return context_;
    }

    const Driver driver_;
    const CudaDevice device_;
    wire::Log& log_;
    std::mutex mutex_;
    CudaContext context_ = nullptr;
};

}  // namespace

std::shared_ptr<RegionPinning> make_cuda_pinning(const std::string& bus_id, wire::Log& log) {
    // Loaded already by ggml's CUDA backend; it is never unloaded.
    void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    Driver driver{};
    CudaDevice device = 0;
    if (library == nullptr || !find_all(library, driver) ||
        driver.device_at(&device, bus_id.c_str()) != kSuccess) {
        log.debug("regions are not pinned: the CUDA driver does not know the GPU at {}", bus_id);
        return nullptr;
    }
    return std::make_shared<CudaPinning>(driver, device, log);
}

}  // namespace virtgpu::backend
