// Preloaded into llama.cpp's programs, keeps them for a moment when they end. They print from a
// thread for which their exit does not wait, so that the last words of a short run can be missing.
#include <chrono>
#include <thread>

namespace {

constexpr std::chrono::milliseconds kMoment{100};

[[gnu::destructor]] void linger() {
    std::this_thread::sleep_for(kMoment);
}

}  // namespace
