#include "wire/trace.h"

#include <unistd.h>

#include <cerrno>

#include "wire/text.h"

namespace virtgpu::wire {

namespace {

constexpr size_t kKeptBack = size_t{256} << 10;
constexpr std::chrono::milliseconds kLongest(50);

double microseconds(std::chrono::nanoseconds time) {
    return std::chrono::duration<double, std::micro>(time).count();
}

}  // namespace

Result<std::unique_ptr<Trace>> Trace::create(const std::string& folder, std::string_view name) {
    const std::string path = wire::format("{}/{}-{}.json", folder, name, ::getpid());
    std::FILE* const file = std::fopen(path.c_str(), "wxe");
    if (file == nullptr)
        return system_failure(errno,
                              wire::format("a trace in {}: is it a folder of yours?", folder));
    static_cast<void>(std::setvbuf(file, nullptr, _IOFBF, kKeptBack));
    // The array's end may be missing: the format's readers expect that.
    print(file, "[\n");
    return std::unique_ptr<Trace>(new Trace(file));
}

void Trace::add(std::string_view event, uint32_t context, uint32_t track, uint64_t sequence,
                Clock::time_point begin, Clock::time_point end) {
    const auto start = begin.time_since_epoch() + shift_.load();
    const std::string line = wire::format(
        "{{\"name\":\"{}\",\"ph\":\"X\",\"ts\":{:.3f},\"dur\":{:.3f},\"pid\":{},\"tid\":{},"
        "\"args\":{{\"context\":{},\"sequence\":{}}}}},\n",
        event, microseconds(start), microseconds(end - begin), ::getpid(), track, context,
        sequence);
    const std::lock_guard lock(mutex_);
    print_text(file_.get(), line);
    if (end - flushed_ < kLongest)
        return;
    std::fflush(file_.get());
    flushed_ = end;
}

void Trace::flush() {
    const std::lock_guard lock(mutex_);
    std::fflush(file_.get());
}

}  // namespace virtgpu::wire
