// What the tests of the device process share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "device/apir/worker_launcher.h"
#include "device/event_loop.h"
#include "wire/log.h"
#include "wire/writer.h"

namespace virtgpu::test {

class RecordingLog : public wire::Log {
 public:
    bool enabled(wire::LogLevel /*level*/) const override { return true; }
    void write(wire::LogLevel /*level*/, std::string_view message) override {
        text_ += std::string(message) + "\n";
    }
    const std::string& text() const { return text_; }

 private:
    std::string text_;
};

inline apir::WorkerOptions fake_worker(const std::string& behaviour) {
    apir::WorkerOptions options;
    options.program = VIRTGPU_FAKE_WORKER;
    options.backends = {behaviour};
    return options;
}

inline std::unique_ptr<apir::WorkerLauncher> launcher_of(const apir::WorkerOptions& options) {
    auto launcher = apir::WorkerLauncher::start(options, {});
    EXPECT_TRUE(launcher) << launcher.error().message();
    return std::move(*launcher);
}
inline std::unique_ptr<apir::WorkerLauncher> launcher_of(const std::string& behaviour) {
    return launcher_of(fake_worker(behaviour));
}

template <typename Condition>
void run_until(device::EventLoop& loop, Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    bool happened = condition();
    while (!happened && std::chrono::steady_clock::now() < end) {
        ASSERT_TRUE(loop.run_once(std::chrono::milliseconds(20)));
        happened = condition();
    }
    ASSERT_TRUE(happened) << "did not happen within 10 s";
}

// Serves what is ready now.
inline void settle(device::EventLoop& loop) {
    for (int i = 0; i < 5; ++i)
        ASSERT_TRUE(loop.run_once(std::chrono::milliseconds(2)));
}

inline std::ptrdiff_t open_descriptors() {
    const std::filesystem::directory_iterator files("/proc/self/fd");
    return std::distance(begin(files), end(files));
}

template <typename... Numbers>
std::vector<std::byte> bytes_of(Numbers... numbers) {
    wire::Writer writer;
    (writer.number(numbers), ...);
    return {writer.bytes().begin(), writer.bytes().end()};
}

inline std::vector<std::byte> joined(std::span<const std::byte> first,
                                     std::span<const std::byte> second) {
    wire::Writer writer;
    for (const auto part : {first, second})
        std::copy(part.begin(), part.end(), writer.extend(part.size()));
    return {writer.bytes().begin(), writer.bytes().end()};
}

template <typename T>
T number_at(std::span<const std::byte> bytes, size_t offset) {
    T value{};
    EXPECT_LE(offset + sizeof value, bytes.size());
    if (offset + sizeof value <= bytes.size())
        std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

}  // namespace virtgpu::test
