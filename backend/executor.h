// The thread of one ring. Ring 0 is served by the threads of streams as well.
#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "backend/polling.h"
#include "backend/ring_server.h"

namespace virtgpu::backend {

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
