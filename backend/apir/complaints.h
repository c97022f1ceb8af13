// What went wrong for a guest with upstream's frontend, which has no words for it itself.
#pragma once

#include "backend/session.h"

namespace virtgpu::backend {

// A guest can cause as many as it likes, so only the first few are warnings: the rest would fill
// the disk. For one thread at a time. Keeps a reference to the session.
class Complaints {
 public:
    explicit Complaints(const Session& session) : session_(session) {}

    void add(std::string_view what, const wire::Error& reason) {
        const auto message =
            wire::format("context {}: {}: {}{}", session_.context(), what, reason.message(),
                         count_ + 1 == kWarnings ? " (and so on)" : "");
        if (count_ < kWarnings)
            session_.log().warning("{}", message);
        else
            session_.log().debug("{}", message);
        ++count_;
    }

 private:
    static constexpr uint64_t kWarnings = 8;

    const Session& session_;
    uint64_t count_ = 0;
};

}  // namespace virtgpu::backend
