#include "backend/apir/forward_executor.h"

#include <system_error>
#include <utility>

#include "wire/reply_page.h"

namespace virtgpu::backend {

wire::Result<std::unique_ptr<ForwardExecutor>> ForwardExecutor::start(
    std::unique_ptr<ForwardService> service, std::shared_ptr<const Regions> regions,
    ForwardLog log) {
    std::unique_ptr<ForwardExecutor> executor(
        new ForwardExecutor(std::move(service), std::move(regions), log));
    try {
        executor->thread_ = std::thread([running = executor.get()] { running->run(); });
    } catch (const std::system_error& error) {
        return wire::system_failure(error.code().value(), "starting a context's thread");
    }
    return executor;
}

ForwardExecutor::~ForwardExecutor() {
    stop();
    if (thread_.joinable())
        thread_.join();
}

void ForwardExecutor::submit(ForwardCall call) {
    {
        const std::lock_guard lock(mutex_);
        calls_.push_back(std::move(call));
    }
    changed_.notify_all();
}

void ForwardExecutor::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    service_->stop();
    changed_.notify_all();
}

void ForwardExecutor::drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || (calls_.empty() && !serving_); });
}

void ForwardExecutor::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        changed_.wait(lock, [this] { return stopping_ || !calls_.empty(); });
        if (stopping_)
            return;
        const ForwardCall call = std::move(calls_.front());
        calls_.pop_front();
        serving_ = true;
        lock.unlock();
        serve(call);
        lock.lock();
        serving_ = false;
        changed_.notify_all();
    }
}

void ForwardExecutor::serve(const ForwardCall& call) {
    const uint32_t code = service_->serve({call.command, call.arguments, call.room}, reply_);
    const auto answered = [&]() -> wire::Result<void> {
        auto page = TRY(wire::ReplyPage::create(TRY(regions_->find(call.reply_region))));
        return page.answer(code, reply_.bytes());
    }();
    if (!answered)
        log_.log.debug("context {} gets no reply: {}", log_.context, answered.error().message());
    call.answered();
}

}  // namespace virtgpu::backend
