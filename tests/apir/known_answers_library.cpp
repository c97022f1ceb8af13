// A library of nobody's: the C interface of virglrenderer's APIR component and nothing of this
// project's. Its answers are known bytes, what its callbacks say, or what libraries do wrong.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <thread>

namespace {

// The names are virglrenderer's.
struct Callbacks {
    const char* (*get_config)(uint32_t context, const char* key);
    volatile uint32_t* (*get_shmem_ptr)(uint32_t context, uint32_t region);
};

enum Command : uint32_t {
    kKnownBytes = 0,     // DEVICE_GET_DEVICE_COUNT
    kThreads = 1,        // DEVICE_GET_COUNT: 1 when all commands came from one thread
    kConfiguration = 2,  // DEVICE_GET_NAME: the value of ggml.library.path
    kLogFile = 3,        // DEVICE_GET_DESCRIPTION: the variable for the log, as it finds it
    kUnknown = 11,       // as upstream's library: a code, and the reply's end is left alone
    kSleep = 18,         // BUFFER_GET_TENSOR: the "buffer" is for how many milliseconds
    kThrow = 19,         // BUFFER_CPY_TENSOR
    kFill = 20,          // BUFFER_CLEAR: the "buffer" is a region, whose first word gets the value
    kDie = 21,           // BUFFER_FREE_BUFFER
    kEndOutside = 22,    // BACKEND_GRAPH_COMPUTE: the reply ends beyond its place
};

// The value of ggml.library.reg that makes it refuse to start, with the code behind it.
constexpr std::string_view kRefuse = "refuse ";
// And the one with which it takes three seconds for that.
constexpr std::string_view kStartSlowly = "start slowly";
// And those with which it throws.
constexpr std::string_view kThrowError = "throw error";
constexpr std::string_view kThrowNumber = "throw number";
constexpr std::string_view kThrowAtTheEnd = "throw at the end";
constexpr uint32_t kNoConfiguration = 6 + 9;
constexpr uint32_t kNoSuchCommand = 6;
constexpr uint32_t kNoSuchRegion = 1;

uint32_t only_context = 0;
bool throw_at_the_end = false;
std::thread::id first_thread;

template <typename T>
T read(const char* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

uint32_t fill(uint32_t context, const Callbacks& callbacks, const char* arguments) {
    auto* const memory =
        callbacks.get_shmem_ptr(context, static_cast<uint32_t>(read<uint64_t>(arguments)));
    if (memory == nullptr)
        return kNoSuchRegion;
    *memory = read<uint32_t>(arguments + sizeof(uint64_t));
    return 0;
}

void sleep_for(uint64_t milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

}  // namespace

#define SHOWN extern "C" __attribute__((visibility("default")))

// As the registration function of a ggml backend without a driver.
SHOWN void* registers_nothing() {
    return nullptr;
}

SHOWN uint32_t apir_backend_initialize(uint32_t context, Callbacks* callbacks) {
    only_context = context;
    const char* const value = callbacks->get_config(context, "ggml.library.reg");
    const std::string_view registration = value == nullptr ? "" : value;
    if (registration.starts_with(kRefuse))
        return static_cast<uint32_t>(std::atoi(value + kRefuse.size()));
    if (registration == kThrowError)
        throw std::bad_alloc();
    if (registration == kThrowNumber)
        throw 42;
    throw_at_the_end = registration == kThrowAtTheEnd;
    if (registration == kStartSlowly)
        sleep_for(3000);
    const bool configured = callbacks->get_config(context, "apir.load_library.path") != nullptr;
    return configured ? 0 : kNoConfiguration;
}

SHOWN void apir_backend_deinit(uint32_t context) {
    if (context != only_context)
        std::abort();
    std::fprintf(stderr, "known answers: context %u ended\n", context);
    if (throw_at_the_end)
        throw std::bad_alloc();
}

SHOWN uint32_t apir_backend_dispatcher(uint32_t context, Callbacks* callbacks, uint32_t command,
                                       char* arguments, const char* /*arguments_end*/, char* reply,
                                       const char* reply_end, char** reply_after) {
    const auto answer = [&](const void* bytes, size_t size) {
        std::memcpy(reply, bytes, size);
        *reply_after = reply + size;
        return 0U;
    };
    if (first_thread == std::thread::id())
        first_thread = std::this_thread::get_id();
    switch (command) {
        case kKnownBytes:
            return answer("\x01\x23\x45\x67", 4);
        case kThreads: {
            const int32_t one = first_thread == std::this_thread::get_id() ? 1 : 2;
            return answer(&one, sizeof one);
        }
        case kConfiguration: {
            const std::string path = callbacks->get_config(context, "ggml.library.path");
            return answer(path.c_str(), path.size() + 1);
        }
        case kLogFile: {
            const char* const file = std::getenv("APIR_LLAMA_CPP_LOG_TO_FILE");
            const std::string answered = file == nullptr ? "none" : file;
            return answer(answered.c_str(), answered.size() + 1);
        }
        case kSleep:
            *reply_after = reply;
            sleep_for(read<uint64_t>(arguments));
            return 0;
        case kThrow:
            throw std::bad_alloc();
        case kFill:
            *reply_after = reply;
            return fill(context, *callbacks, arguments);
        case kEndOutside:
            *reply_after = const_cast<char*>(reply_end) + 1;
            return 0;
        case kDie:
            std::abort();
        default:
            return kNoSuchCommand;
    }
}
