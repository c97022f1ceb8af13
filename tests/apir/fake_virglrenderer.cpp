#include "tests/apir/fake_virglrenderer.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <vector>

namespace virtgpu::test {

namespace {

// The callbacks say for which context, and not for which renderer.
FakeVirglrenderer* current = nullptr;

constexpr int32_t kHandshake = 0;
constexpr int32_t kLoadLibrary = 1;
constexpr uint32_t kMagic = 0xab1e;
constexpr size_t kHeader = 12;
constexpr uint32_t kNoDispatcher = 1;

template <typename Function>
Function function(void* library, const char* name) {
    void* const address = ::dlsym(library, name);
    if (address == nullptr)
        throw std::runtime_error(::dlerror());
    return reinterpret_cast<Function>(address);
}

// A plain store, as the original's.
void notify(std::byte* page, uint32_t code) {
    *reinterpret_cast<volatile uint32_t*>(page) = 1 + code;
}

// Of a bool upstream's encoder writes the first of four bytes; the others are what was there.
void spoil_bools(uint32_t command, std::span<char> payload) {
    constexpr uint32_t kWithBools[] = {6, 8, 13, 19};
    if (std::find(std::begin(kWithBools), std::end(kWithBools), command) == std::end(kWithBools))
        return;
    for (size_t i = 0; i < payload.size(); ++i)
        if (i % 4 != 0)
            payload[i] = '\x5a';
}

uint32_t word(std::span<const std::byte> command, size_t offset) {
    uint32_t value = 0;
    std::memcpy(&value, command.data() + offset, sizeof value);
    return value;
}

}  // namespace

FakeVirglrenderer::FakeVirglrenderer(const char* library) : library_(::dlopen(library, RTLD_LAZY)) {
    if (library_ == nullptr)
        throw std::runtime_error(::dlerror());
    initialize_ = function<Initialize>(library_, "apir_backend_initialize");
    deinit_ = function<Deinit>(library_, "apir_backend_deinit");
    dispatcher_ = function<Dispatcher>(library_, "apir_backend_dispatcher");
    current = this;
}

FakeVirglrenderer::~FakeVirglrenderer() {
    current = nullptr;
    ::dlclose(library_);
}

void FakeVirglrenderer::configure(const std::string& key, const std::string& value) {
    configuration_[key] = value;
}

const char* FakeVirglrenderer::get_config(uint32_t /*context*/, const char* key) {
    const auto found = current->configuration_.find(key);
    return found == current->configuration_.end() ? nullptr : found->second.c_str();
}

void* FakeVirglrenderer::get_shmem_ptr(uint32_t context, uint32_t resource) {
    const std::lock_guard lock(current->mutex_);
    const auto found = current->blobs_.find({context, resource});
    return found == current->blobs_.end() ? nullptr : found->second.memory;
}

FakeVirglrenderer::Context::Context(FakeVirglrenderer& renderer, uint32_t number)
    : renderer_(renderer), number_(number) {}

FakeVirglrenderer::Context::~Context() {
    renderer_.deinit_(number_);
    std::vector<Blob> left;
    {
        const std::lock_guard lock(renderer_.mutex_);
        for (const auto& [key, blob] : renderer_.blobs_)
            if (key.first == number_)
                left.push_back(blob);
    }
    for (const Blob& blob : left)
        destroy_blob(blob);
}

Blob FakeVirglrenderer::Context::create_blob(size_t size) {
    const int file = ::memfd_create("apir-shmem", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, static_cast<off_t>(size)) != 0)
        throw std::runtime_error("no memory for a blob");
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no place for a blob");
    const std::lock_guard lock(renderer_.mutex_);
    // The kernel gives the lowest number that is free.
    uint32_t resource = 1;
    while (renderer_.blobs_.contains({number_, resource}))
        ++resource;
    const Blob blob{resource, static_cast<std::byte*>(memory), size};
    renderer_.blobs_[{number_, resource}] = blob;
    return blob;
}

void FakeVirglrenderer::Context::destroy_blob(const Blob& blob) {
    const std::lock_guard lock(renderer_.mutex_);
    const auto found = renderer_.blobs_.find({number_, blob.resource});
    // Another may have the number by now.
    if (found == renderer_.blobs_.end() || found->second.memory != blob.memory)
        return;
    renderer_.blobs_.erase(found);
    ::munmap(blob.memory, blob.size);
}

void FakeVirglrenderer::Context::submit(std::span<const std::byte> command) {
    Blob reply;
    {
        const std::lock_guard lock(renderer_.mutex_);
        const auto found = renderer_.blobs_.find({number_, word(command, 8)});
        if (found == renderer_.blobs_.end())
            return;  // and the guest waits for ever
        reply = found->second;
    }
    switch (static_cast<int32_t>(word(command, 0))) {
        case kHandshake: {
            const uint32_t version[] = {0, 1};
            std::memcpy(reply.memory + 4, version, sizeof version);
            return notify(reply.memory, kMagic);
        }
        case kLoadLibrary:
            return load_library(reply.memory);
        default:
            forward(word(command, 4), command.subspan(kHeader), reply.memory, reply.size);
    }
}

void FakeVirglrenderer::Context::load_library(std::byte* page) {
    start_code_ = renderer_.initialize_(number_, &renderer_.callbacks_);
    loaded_ = start_code_ == 0 || start_code_ == 6;
    notify(page, loaded_ ? 0 : 6 + start_code_);
}

void FakeVirglrenderer::Context::forward(uint32_t command, std::span<const std::byte> arguments,
                                         std::byte* page, size_t size) const {
    if (!loaded_)
        return notify(page, kNoDispatcher);
    // In memory of exactly this size, so that reading past the end shows.
    const auto* const begin = reinterpret_cast<const char*>(arguments.data());
    std::vector<char> copy(begin, begin + arguments.size());
    auto* const reply = reinterpret_cast<char*>(page);
    char* end = nullptr;
    const uint32_t code =
        renderer_.dispatcher_(number_, &renderer_.callbacks_, command, copy.data(),
                              copy.data() + copy.size(), reply + 4, reply + size, &end);
    if (end < reply + 4 || end > reply + size)
        throw std::runtime_error("enc_cur_after points elsewhere");
    spoil_bools(command, {reply + 4, end});
    notify(page, 4 + code);
}

}  // namespace virtgpu::test
