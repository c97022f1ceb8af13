// The thread of one ring. Ring 0 is served by the threads of streams as well.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "backend/ring_server.h"

namespace virtgpu::backend {

// How a ring's thread waits for its next request.
struct Polling {
    // How long it looks at the ring before it sleeps; none where every processor computes.
    std::chrono::microseconds longest{0};
    // The same while a device computes in the background and nobody waits for it.
    std::chrono::microseconds patience{0};
    // Shared by all rings of the process: no more than one of them polls at a time.
    std::shared_ptr<std::atomic<bool>> taken = std::make_shared<std::atomic<bool>>(false);
};

class Executor {
 public:
    // Fault::kSystem when the system has no thread for it.
    static Result<std::unique_ptr<Executor>> start(std::shared_ptr<RingServer> server,
                                                   std::shared_ptr<Session> session,
                                                   Polling polling);
    // Stops now and waits for the thread, that is for the present graph.
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    // From any thread; returns at once.
    void stop(Stop when);
    // Waits until the thread ended. For the owner alone.
    void join();
    // The thread serves nothing any more; destroying the executor does not wait.
    bool finished() const { return finished_; }

 private:
    Executor(std::shared_ptr<RingServer> server, std::shared_ptr<Session> session, Polling polling);

    void run();
    void break_off(const char* reason) noexcept;
    void serve();
    bool poll();
    void sleep();

    const std::shared_ptr<RingServer> server_;
    const std::shared_ptr<Session> session_;
    const Polling polling_;
    std::atomic<Stop> stop_{Stop::kNever};
    std::atomic<bool> finished_{false};
    std::thread thread_;
};

}  // namespace virtgpu::backend
