// Memory of files that comes and goes in steps.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "device/event_file.h"
#include "device/event_loop.h"
#include "device/sealed_memory.h"

namespace virtgpu::device {

// A GiB of pages takes a third of a second to come and half of that to go, and pings must be
// answered within half a second: the event loop serves others between the steps. One thing is done
// after the other, so what was given up is free before what was asked for later needs it.
class PageSupply {
 public:
    using Done = std::function<void(wire::Result<void>)>;

    // What is done at once.
    static constexpr uint64_t kStep = uint64_t{64} << 20;

    // The loop must outlive it, and it outlives what is under way: that is forgotten with it.
    static wire::Result<std::shared_ptr<PageSupply>> create(EventLoop& loop);

    // Puts pages behind memory that was claimed. `done` is called at once where one step will do,
    // else from the event loop; with Fault::kRefused when the host has no memory left, or when
    // nobody else has the memory any more.
    void provide(SharedMemory memory, Done done);
    // Takes the pages of a part of a file away; `done` as above, without fail.
    void take_back(std::shared_ptr<const SealedFile> file, uint64_t offset, uint64_t size,
                   std::function<void()> done);

 private:
    struct Job {
        std::shared_ptr<const SealedFile> file;
        uint64_t offset = 0;
        uint64_t size = 0;
        SharedMemory memory;  // null: the pages go
        Done done;
    };

    explicit PageSupply(EventFile event) : event_(std::move(event)) {}

    void start(Job job);
    void step();
    static wire::Result<void> do_step(Job& job);

    std::deque<Job> jobs_;
    EventFile event_;  // signaled while there are jobs
    Watch watch_;
};

}  // namespace virtgpu::device
