// Contexts that end, each on a thread of its own, because a graph that is being computed has to
// finish and other contexts must not wait for it.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <system_error>
#include <thread>

namespace virtgpu::worker {

// For one thread. Waits for the threads when it is destroyed.
class ClosingContexts {
 public:
    ~ClosingContexts() {
        for (Closing& closing : all_)
            closing.thread.join();
    }
    ClosingContexts() = default;
    ClosingContexts(const ClosingContexts&) = delete;
    ClosingContexts& operator=(const ClosingContexts&) = delete;

    // Without a thread to be had, closes at once and lets the others wait.
    void start(const std::function<void()>& close) {
        forget_done();
        Closing& closing = all_.emplace_back();
        try {
            closing.thread = std::thread([&closing, close] {
                close();
                closing.done = true;
            });
        } catch (const std::system_error&) {
            all_.pop_back();
            close();
        }
    }

    size_t count() {
        forget_done();
        return all_.size();
    }

    bool all_done() {
        forget_done();
        return all_.empty();
    }

 private:
    struct Closing {
        std::thread thread;
        std::atomic<bool> done{false};
    };

    void forget_done() {
        all_.remove_if([](Closing& closing) {
            if (closing.done)
                closing.thread.join();
            return closing.done.load();
        });
    }

    std::list<Closing> all_;
};

}  // namespace virtgpu::worker
