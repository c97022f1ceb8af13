// A record of what happened when, in the JSON that Perfetto and chrome://tracing show.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "wire/result.h"

namespace virtgpu::wire {

// One process' part of it: FOLDER/NAME-PROCESS.json, a line per event, so that a process that is
// killed leaves a readable file. What is written is kept back for a moment, because a system call
// per event would show among them. tools/trace puts the parts together. Thread safe.
class Trace {
 public:
    using Clock = std::chrono::steady_clock;

    // `folder` exists.
    static Result<std::unique_ptr<Trace>> create(const std::string& folder, std::string_view name);
    ~Trace() = default;
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;

    // From this machine's clock to the one that all parts show, which is the host's.
    void set_shift(std::chrono::nanoseconds shift) { shift_ = shift; }
    // `track` groups events: the ring that they belong to.
    void add(std::string_view event, uint32_t context, uint32_t track, uint64_t sequence,
             Clock::time_point begin, Clock::time_point end);
    // Writes what was kept back: before a thread sleeps.
    void flush();

 private:
    struct Closer {
        void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
    };

    explicit Trace(std::FILE* file) : file_(file) {}

    std::mutex mutex_;
    std::unique_ptr<std::FILE, Closer> file_;
    std::atomic<std::chrono::nanoseconds> shift_{std::chrono::nanoseconds(0)};
    Clock::time_point flushed_{};
};

// An event that lasts as long as the object. Does nothing without a trace.
class TraceSpan {
 public:
    TraceSpan(Trace* trace, std::string_view event, uint32_t context, uint32_t track,
              uint64_t sequence)
        : trace_(trace), event_(event), context_(context), track_(track), sequence_(sequence) {
        if (trace_ != nullptr)
            begin_ = Trace::Clock::now();
    }
    ~TraceSpan() {
        if (trace_ == nullptr)
            return;
        try {
            trace_->add(event_, context_, track_, sequence_, begin_, Trace::Clock::now());
        } catch (const std::exception& /*no memory for the line*/) {
            return;
        }
    }
    TraceSpan(const TraceSpan&) = delete;
    TraceSpan& operator=(const TraceSpan&) = delete;

 private:
    Trace* trace_;
    std::string_view event_;
    uint32_t context_;
    uint32_t track_;
    uint64_t sequence_;
    Trace::Clock::time_point begin_;
};

}  // namespace virtgpu::wire
