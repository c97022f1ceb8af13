// A library that takes its time to be loaded, and is none of virglrenderer's.
#include <chrono>
#include <thread>

namespace {

struct Slow {
    Slow() { std::this_thread::sleep_for(std::chrono::seconds(3)); }
};
const Slow slow;

}  // namespace
