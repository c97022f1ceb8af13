// Waiting for file descriptors: one thread, callbacks, no locks.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <utility>

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::device {

using wire::Fault;
using wire::Result;

class EventLoop;

enum class Interest { kReadable, kReadableAndWritable };

// Keeps a descriptor watched for as long as it lives. The descriptor and the loop must outlive it.
// May be destroyed inside its own callback.
class [[nodiscard]] Watch {
 public:
    Watch() = default;
    ~Watch() { reset(); }
    Watch(Watch&& other) noexcept
        : loop_(std::exchange(other.loop_, nullptr)), id_(std::exchange(other.id_, 0)) {}
    Watch& operator=(Watch&& other) noexcept;
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    void set_interest(Interest interest);
    void reset();

 private:
    friend class EventLoop;
    Watch(EventLoop& loop, uint64_t id) : loop_(&loop), id_(id) {}

    EventLoop* loop_ = nullptr;
    uint64_t id_ = 0;
};

class EventLoop {
 public:
    using Callback = std::function<void()>;

    static Result<std::unique_ptr<EventLoop>> create();
    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Calls `callback` whenever the descriptor is ready, closed by its peer or broken; reading it
    // tells which.
    Result<Watch> watch(int descriptor, Interest interest, Callback callback);

    // Serves callbacks until stop() is called.
    Result<void> run();
    // Serves what is ready, waiting at most `timeout` for something to be.
    Result<void> run_once(std::chrono::milliseconds timeout);
    void stop() { stopped_ = true; }

 private:
    friend class Watch;

    struct Entry {
        int descriptor;
        Callback callback;
    };

    explicit EventLoop(wire::FileDescriptor poller) : poller_(std::move(poller)) {}
    void set_interest(uint64_t id, Interest interest);
    void remove(uint64_t id);

    wire::FileDescriptor poller_;
    // Ids are never used twice, so that an event that was fetched before its watch ended finds
    // nothing.
    uint64_t next_id_ = 1;
    std::unordered_map<uint64_t, std::shared_ptr<Entry>> entries_;
    bool stopped_ = false;
};

}  // namespace virtgpu::device
