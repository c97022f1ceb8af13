#include "backend/session.h"

namespace virtgpu::backend {

Session::Session(uint32_t context, const Catalogue& catalogue,
                 std::shared_ptr<const Regions> regions, Limits limits, wire::Log& log)
    : context_(context),
      catalogue_(catalogue),
      regions_(std::move(regions)),
      log_(log),
      buffers_(limits.buffers),
      memory_(std::make_shared<MemoryAccount>(limits.memory_bytes)) {}

Result<void> Session::agree(validate::Vocabulary vocabulary) {
    const std::lock_guard lock(vocabulary_mutex_);
    if (vocabulary_)
        return wire::fail(Fault::kPeer, "a second HELLO");
    vocabulary_ = std::make_shared<const validate::Vocabulary>(std::move(vocabulary));
    return {};
}

Result<std::shared_ptr<const validate::Vocabulary>> Session::vocabulary() const {
    const std::lock_guard lock(vocabulary_mutex_);
    if (!vocabulary_)
        return wire::fail(Fault::kPeer, "a command before HELLO");
    return vocabulary_;
}

bool Session::fail() {
    return !failed_.exchange(true);
}

}  // namespace virtgpu::backend
