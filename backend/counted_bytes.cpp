#include "backend/counted_bytes.h"

#include <utility>

namespace virtgpu::backend {

wire::Result<void> CountedBytes::resize(size_t size) {
    if (size > counted_) {
        clear();
        TRY(account_->take(size));
        counted_ = size;
        bytes_.reserve(size);
    }
    bytes_.resize(size);
    return {};
}

void CountedBytes::clear() {
    std::vector<std::byte>().swap(bytes_);
    account_->give_back(std::exchange(counted_, 0));
}

}  // namespace virtgpu::backend
