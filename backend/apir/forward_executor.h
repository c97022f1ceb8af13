// The thread that carries out upstream's level 1 commands of a context.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "backend/apir/forward_service.h"
#include "backend/regions.h"
#include "wire/log.h"

namespace virtgpu::backend {

// A command on its way through the worker.
struct ForwardCall {
    uint32_t command = 0;
    uint32_t reply_region = 0;
    uint64_t room = UINT64_MAX;
    std::vector<std::byte> arguments;
    std::function<void()> answered;  // from the executor's thread, after the reply
};

// What the log calls the context.
struct ForwardLog {
    uint32_t context;
    wire::Log& log;
};

class VIRTGPU_EXPORT ForwardExecutor {
 public:
    // Fault::kSystem when the system has no thread for it.
    static wire::Result<std::unique_ptr<ForwardExecutor>> start(
        std::unique_ptr<ForwardService> service, std::shared_ptr<const Regions> regions,
        ForwardLog log);
    // Breaks off what is computed and drops what waits.
    ~ForwardExecutor();
    ForwardExecutor(const ForwardExecutor&) = delete;
    ForwardExecutor& operator=(const ForwardExecutor&) = delete;

    // Returns at once.
    void submit(ForwardCall call);
    // From any thread: ends soon; what waits is not carried out any more.
    void stop();
    // Waits for what was submitted.
    void drain();

 private:
    ForwardExecutor(std::unique_ptr<ForwardService> service, std::shared_ptr<const Regions> regions,
                    ForwardLog log)
        : service_(std::move(service)), regions_(std::move(regions)), log_(log) {}

    void run();
    void serve(const ForwardCall& call);

    const std::unique_ptr<ForwardService> service_;
    const std::shared_ptr<const Regions> regions_;
    const ForwardLog log_;
    wire::Writer reply_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<ForwardCall> calls_;
    bool serving_ = false;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace virtgpu::backend
