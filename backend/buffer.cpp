#include "backend/buffer.h"

#include "backend/memory_account.h"
#include "backend/sys/huge_pages.h"
#include "backend/weight_copies.h"

namespace virtgpu::backend {

Result<std::shared_ptr<Buffer>> Buffer::allocate(ggml_backend_dev_t device, uint64_t size,
                                                 std::shared_ptr<MemoryAccount> account) {
    ggml_backend_buffer_type_t const type = ggml_backend_dev_buffer_type(device);
    size_t free = 0;
    size_t total = 0;
    ggml_backend_dev_memory(device, &free, &total);
    // The CPU backend would promise any amount and be killed when it is used. Devices that do not
    // know their memory say 0.
    const uint64_t largest = ggml_backend_buft_get_max_size(type);
    if (size > largest || (total != 0 && size > total))
        return wire::fail(Fault::kRefused,
                          "a buffer of {} bytes does not fit {}: it has {} bytes, {} of them free, "
                          "and takes at most {} in one buffer",
                          size, ggml_backend_dev_name(device), total, free, largest);
    TRY(account->take(size));
    ggml_backend_buffer_t const buffer = ggml_backend_buft_alloc_buffer(type, size);
    if (buffer == nullptr) {
        account->give_back(size);
        return wire::fail(Fault::kRefused, "{} has no room for {} bytes: {} of {} are free",
                          ggml_backend_dev_name(device), size, free, total);
    }
    if (ggml_backend_buffer_is_host(buffer) && size >= account->smallest_huge())
        ask_for_huge_pages(ggml_backend_buffer_get_base(buffer), size);
    return std::shared_ptr<Buffer>(
        new Buffer(buffer, size, {std::move(account), nullptr, nullptr}));
}

bool Buffer::can_share(ggml_backend_dev_t device) {
    ggml_backend_dev_props properties{};
    ggml_backend_dev_get_props(device, &properties);
    // A GPU with memory of its own would reach for every byte through its bus.
    return properties.caps.buffer_from_host_ptr && properties.type != GGML_BACKEND_DEVICE_TYPE_GPU;
}

Result<std::shared_ptr<Buffer>> Buffer::share(ggml_backend_dev_t device,
                                              std::shared_ptr<wire::Region> region,
                                              const wire::BulkData& memory) {
    const size_t alignment = ggml_backend_buft_get_alignment(ggml_backend_dev_buffer_type(device));
    if (!can_share(device) || memory.size() == 0 ||
        reinterpret_cast<uintptr_t>(memory.data()) % alignment != 0)
        return wire::fail(Fault::kRefused, "{} makes no buffer of {} bytes of shared memory",
                          ggml_backend_dev_name(device), memory.size());
    // The region was allocated, and counted, by the device process.
    ggml_backend_buffer_t const buffer = ggml_backend_dev_buffer_from_host_ptr(
        device, memory.data(), memory.size(), /*max_tensor_size=*/memory.size());
    if (buffer == nullptr)
        return wire::fail(Fault::kRefused, "{} takes no memory that the guest sees",
                          ggml_backend_dev_name(device));
    return std::shared_ptr<Buffer>(
        new Buffer(buffer, memory.size(), {nullptr, std::move(region), memory.data()}));
}

Buffer::Buffer(ggml_backend_buffer_t buffer, uint64_t size, Ground ground)
    : buffer_(buffer),
      base_(static_cast<std::byte*>(ggml_backend_buffer_get_base(buffer))),
      seen_(ggml_backend_buffer_is_host(buffer) ? base_ : ground.bytes),
      size_(size),
      ground_(std::move(ground)) {}

Buffer::~Buffer() {
    drop_copies();
    ggml_backend_buffer_free(buffer_);
    if (ground_.account)
        ground_.account->give_back(size_);
}

void Buffer::set_usage(ggml_backend_buffer_usage usage) {
    const std::lock_guard lock(copies_mutex_);
    ggml_backend_buffer_set_usage(buffer_, usage);
    if (usage != GGML_BACKEND_BUFFER_USAGE_WEIGHTS)
        drop_copies();
    else if (!copies_ && !copies_forbidden_ && ggml_backend_buffer_is_host(buffer_))
        copies_ = std::make_shared<WeightCopies>();
}

std::shared_ptr<WeightCopies> Buffer::copies() const {
    const std::lock_guard lock(copies_mutex_);
    return copies_;
}

void Buffer::mark_changed(uint64_t offset, uint64_t size) const {
    if (const auto present = copies())
        present->mark_changed(offset, size);
}

void Buffer::forbid_copies() {
    const std::lock_guard lock(copies_mutex_);
    copies_forbidden_ = true;
    drop_copies();
}

// With the lock, which the destructor does not need.
void Buffer::drop_copies() {
    if (copies_)
        copies_->abandon();
    copies_ = nullptr;
}

}  // namespace virtgpu::backend
