// The tenant's compute worker: started when first needed, and again after it died.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "device/apir/worker_link.h"
#include "device/region_memory.h"

namespace virtgpu::apir {

// What the worker says.
class WorkerListener {
 public:
    virtual ~WorkerListener() = default;
    virtual void on_worker_message(const wire::WorkerRequest& message) = 0;
    // All that it held is lost.
    virtual void on_worker_lost() = 0;
};

class WorkerSupply {
 public:
    // All references must outlive the supply.
    WorkerSupply(WorkerLauncher& launcher, EventLoop& loop, wire::Log& log,
                 WorkerListener& listener)
        : launcher_(launcher), loop_(loop), log_(log), listener_(listener) {}

    // Starts a worker unless one runs. Fault::kRefused after drain().
    Result<void> ensure_started();
    // Dropped when no worker runs: on_worker_lost says so.
    template <typename Fields>
    void send(protocol::WorkerMessage id, const Fields& fields, std::span<const int> files = {}) {
        wire::Writer writer;
        writer.number(static_cast<uint32_t>(id));
        if (link_ && wire::encode(writer, fields))
            link_->send(writer.bytes(), files);
    }
    // Tells the worker of a region, which we keep for as long as it has it mapped.
    void lend(uint32_t context, uint32_t region, const device::AnyMemory& memory);
    // A worker that has memory of the guest's does nothing until resume().
    void pause();
    void resume();
    // After this no worker has memory of the guest's. One that still had some is ended.
    void take_back_guest_memory();
    // Asks the worker to say in the log what its contexts did so far.
    void log_counters();
    // Asks the worker to finish what it has. No other is started from now on.
    void drain();
    // No process of ours is left.
    bool ended() const;

 private:
    // Ends when the worker closes the pipe's other end, which it does after unmapping the region,
    // and the kernel when it dies.
    struct Loan {
        device::AnyMemory memory;
        size_t guest_pieces = 0;
        wire::FileDescriptor pipe;
        device::Watch watch;
    };

    void lost();
    bool lends_guest_memory() const { return guest_pieces_lent_ != 0; }
    Result<wire::FileDescriptor> open_loan(const device::AnyMemory& memory);
    void end_loan(uint64_t number);
    void lend_ours(uint32_t context, uint32_t region, const device::FilePiece& piece, int loan);
    Result<void> lend_guests(uint32_t context, uint32_t region,
                             std::span<const device::FilePiece> pieces, int loan);

    WorkerLauncher& launcher_;
    EventLoop& loop_;
    wire::Log& log_;
    WorkerListener& listener_;
    bool draining_ = false;
    uint64_t next_loan_ = 0;
    std::map<uint64_t, Loan> loans_;
    size_t guest_pieces_lent_ = 0;
    std::unique_ptr<WorkerLink> link_;
    // Lost workers whose processes have yet to end.
    std::vector<std::unique_ptr<WorkerLink>> ending_;
};

}  // namespace virtgpu::apir
