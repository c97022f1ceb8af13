#pragma once

#include <ggml.h>

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>

namespace virtgpu::frontend {

// What the host's answer about a node can depend on, as bytes: operation, parameters, and type,
// shape, strides, flags, buffer type and view of the node and its sources.
std::string node_key(const ggml_tensor& node);

// The host's answers to questions about nodes of one device. Thread safe. Bounded: a full memo
// starts anew, which costs round trips and nothing else.
template <typename T>
class AnswerMemo {
 public:
    // A large model asks about some hundred different nodes per batch size.
    static constexpr size_t kMaxAnswers = 16384;

    std::optional<T> find(const std::string& key) const {
        const std::shared_lock lock(mutex_);
        const auto found = answers_.find(key);
        return found == answers_.end() ? std::nullopt : std::optional<T>(found->second);
    }

    void remember(std::string key, T answer) {
        const std::unique_lock lock(mutex_);
        if (answers_.size() >= kMaxAnswers)
            answers_.clear();
        answers_.insert_or_assign(std::move(key), answer);
    }

    size_t size() const {
        const std::shared_lock lock(mutex_);
        return answers_.size();
    }

 private:
    mutable std::shared_mutex mutex_;
    std::unordered_map<std::string, T> answers_;
};

}  // namespace virtgpu::frontend
