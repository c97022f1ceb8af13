#include "backend/buffer.h"

#include "backend/memory_account.h"
#include "backend/sys/huge_pages.h"

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
    if (ggml_backend_buffer_is_host(buffer))
        ask_for_huge_pages(ggml_backend_buffer_get_base(buffer), size);
    return std::shared_ptr<Buffer>(new Buffer(buffer, size, std::move(account)));
}

Buffer::Buffer(ggml_backend_buffer_t buffer, uint64_t size, std::shared_ptr<MemoryAccount> account)
    : buffer_(buffer),
      base_(static_cast<std::byte*>(ggml_backend_buffer_get_base(buffer))),
      size_(size),
      account_(std::move(account)) {}

Buffer::~Buffer() {
    ggml_backend_buffer_free(buffer_);
    account_->give_back(size_);
}

}  // namespace virtgpu::backend
