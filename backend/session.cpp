#include "backend/session.h"

namespace virtgpu::backend {

Session::Session(uint32_t context, const Catalogue& catalogue,
                 std::shared_ptr<const Regions> regions, uint32_t buffer_limit,
                 std::shared_ptr<MemoryAccount> memory, wire::Log& log)
    : context_(context),
      catalogue_(catalogue),
      regions_(std::move(regions)),
      log_(log),
      buffers_(buffer_limit),
      memory_(std::move(memory)) {}

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
