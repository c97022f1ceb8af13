// How an executor sleeps and wakes its guest.
#pragma once

namespace virtgpu::backend {

class RingSignals {
 public:
    virtual ~RingSignals() = default;

    // Returns when the guest rings the doorbell or after interrupt(); may return for no reason.
    virtual void wait_doorbell() = 0;
    // The guest sleeps until it is told that a request is done.
    virtual void signal_completion() = 0;
    // From any thread: ends the present and the next wait_doorbell().
    virtual void interrupt() = 0;
};

}  // namespace virtgpu::backend
