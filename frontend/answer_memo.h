#pragma once

#include <ggml.h>

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "wire/result.h"

namespace virtgpu::frontend {

// What the host's answer about a node can depend on, as bytes: operation, parameters, and type,
// shape, strides, flags, buffer type and view of the node and its sources.
std::string node_key(const ggml_tensor& node);

// Whether a host has to be asked how much memory a tensor takes: libggml asserts that no other
// needs more than its data.
bool may_need_more_than_its_bytes(const ggml_tensor& tensor);

// The host's answers to questions about nodes of one device. Thread safe. Bounded: a full memo
// starts anew, which costs round trips and nothing else.
template <typename T>
class AnswerMemo {
 public:
    // A large model asks about some hundred different nodes per batch size.
    static constexpr size_t kMaxAnswers = 16384;

    // The answer about a node, from ask() where it is not known; a failure of that is not
    // remembered. Two threads may ask the same.
    template <typename Ask>
    wire::Result<T> find_or_ask(const ggml_tensor& node, Ask ask) {
        std::string key = node_key(node);
        if (const auto known = find(key))
            return *known;
        wire::Result<T> answer = ask();
        if (answer)
            remember(std::move(key), *answer);
        return answer;
    }

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
