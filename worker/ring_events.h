// A ring's two eventfds.
#pragma once

#include <memory>

#include "backend/ring_signals.h"
#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::worker {

// Both eventfds may be shared with a hostile client, who can read them empty, fill them, and change
// their flags. So they are never read and never written without asking first: what it does with
// them wakes or delays nobody but itself.
class RingEvents : public backend::RingSignals {
 public:
    static wire::Result<std::unique_ptr<RingEvents>> create(wire::FileDescriptor doorbell,
                                                            wire::FileDescriptor completion);

    void wait_doorbell() override;
    void signal_completion() override;
    // Sticky: from then on no wait_doorbell() sleeps.
    void interrupt() override;

 private:
    RingEvents() = default;

    wire::FileDescriptor doorbell_;
    wire::FileDescriptor completion_;
    wire::FileDescriptor interrupted_;
    wire::FileDescriptor poll_;
};

}  // namespace virtgpu::worker
