#include "device/page_supply.h"

#include <algorithm>
#include <utility>

namespace virtgpu::device {

using wire::Fault;
using wire::Result;

Result<std::shared_ptr<PageSupply>> PageSupply::create(EventLoop& loop) {
    std::shared_ptr<PageSupply> supply(new PageSupply(TRY(EventFile::create())));
    supply->watch_ = TRY(loop.watch(supply->event_.number(), Interest::kReadable,
                                    [self = supply.get()] { self->step(); }));
    return supply;
}

void PageSupply::provide(SharedMemory memory, Done done) {
    start({memory->sealed_file(), memory->offset(), memory->size(), memory, std::move(done)});
}

void PageSupply::take_back(std::shared_ptr<const SealedFile> file, uint64_t offset, uint64_t size,
                           std::function<void()> done) {
    start({std::move(file), offset, size, nullptr,
           [done = std::move(done)](const Result<void>& /*outcome*/) { done(); }});
}

void PageSupply::start(Job job) {
    if (job.size <= kStep) {
        const Result<void> outcome = do_step(job);
        return job.done(outcome);
    }
    jobs_.push_back(std::move(job));
    event_.signal();
}

Result<void> PageSupply::do_step(Job& job) {
    const uint64_t size = std::min(kStep, job.size);
    Result<void> outcome;
    if (job.memory)
        outcome = job.file->allocate(job.offset, size);
    else
        job.file->discard(job.offset, size);
    job.offset += size;
    job.size -= size;
    return outcome;
}

void PageSupply::step() {
    Job& job = jobs_.front();
    Result<void> outcome = do_step(job);
    if (outcome && job.memory.use_count() == 1)
        outcome = fail(Fault::kRefused, "the memory was given up before its pages were there");
    if (outcome && job.size != 0)
        return;
    const Job finished = std::exchange(job, {});
    jobs_.pop_front();
    if (jobs_.empty())
        event_.take();
    finished.done(outcome);
}

}  // namespace virtgpu::device
