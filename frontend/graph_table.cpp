#include "frontend/graph_table.h"

#include <algorithm>
#include <utility>

namespace virtgpu::frontend {

namespace {

// With more changes than this part of the tensors, an edit saves nothing over a definition.
constexpr size_t kLargestEdit = 2;
// Graphs, the last used first, compared in full before a new one is defined; each costs about 25 us
// per 1,000 tensors.
constexpr size_t kMostCompared = 4;

// Nothing when the graphs have more differences than `most`.
bool compare(const protocol::Graph& old, const protocol::Graph& now, size_t most,
             protocol::GraphEdit& edit) {
    edit.changes.clear();
    for (size_t i = 0; i < now.tensors.size(); ++i) {
        if (old.tensors[i] == now.tensors[i])
            continue;
        if (edit.changes.size() == most)
            return false;
        edit.changes.push_back({static_cast<uint32_t>(i), now.tensors[i]});
    }
    return true;
}

// Whether the graphs can be compared tensor by tensor, and may be the same computation.
bool alike(const protocol::Graph& a, const protocol::Graph& b) {
    return a.tensors.size() == b.tensors.size() && a.nodes == b.nodes &&
           (a.nodes.empty() ||
            a.tensors[a.nodes.back()].tensor.name == b.tensors[b.nodes.back()].tensor.name);
}

template <typename Entries>
auto& entry_of(Entries& entries, uint32_t number) {
    return *std::find_if(entries.begin(), entries.end(),
                         [&](const auto& entry) { return entry.number == number; });
}

std::vector<protocol::Handle> buffers_of(const protocol::Graph& graph) {
    std::vector<protocol::Handle> buffers;
    for (const protocol::GraphTensor& tensor : graph.tensors) {
        const protocol::Handle& buffer = tensor.tensor.buffer;
        // There are few, and the last is the likeliest.
        if (buffer.generation != 0 &&
            std::find(buffers.rbegin(), buffers.rend(), buffer) == buffers.rend())
            buffers.push_back(buffer);
    }
    return buffers;
}

}  // namespace

std::optional<uint32_t> GraphTable::find(uint64_t uid, uint64_t buffers_freed) {
    if (uid == 0)
        return std::nullopt;
    for (Entry& entry : entries_)
        if (entry.uid == uid && entry.buffers_freed == buffers_freed) {
            entry.last_use = ++uses_;
            return entry.number;
        }
    return std::nullopt;
}

std::optional<GraphTable::Plan> GraphTable::add(protocol::Graph& graph, uint64_t uid,
                                                uint64_t buffers_freed) {
    if (limits_.graphs == 0 || graph.tensors.size() > limits_.tensors)
        return std::nullopt;
    Plan plan;
    Entry* entry = most_alike(graph, plan.edit);
    if (entry != nullptr) {
        plan.step = plan.edit.changes.empty() ? Plan::Step::kNothing : Plan::Step::kEdit;
    } else {
        plan.step = Plan::Step::kDefine;
        plan.to_be_dropped = make_room(graph.tensors.size());
        entry = &entries_.emplace_back();
        entry->number = next_number_++;
        tensors_ += graph.tensors.size();
    }
    std::swap(entry->graph, graph);
    if (plan.step != Plan::Step::kNothing)
        entry->buffers = buffers_of(entry->graph);
    entry->uid = uid;
    entry->buffers_freed = buffers_freed;
    entry->last_use = ++uses_;
    plan.number = entry->number;
    return plan;
}

void GraphTable::set_uid(uint32_t number, uint64_t uid) {
    entry_of(entries_, number).uid = uid;
}

const protocol::Graph& GraphTable::graph(uint32_t number) const {
    return entry_of(entries_, number).graph;
}

const std::vector<protocol::Handle>& GraphTable::buffers(uint32_t number) const {
    return entry_of(entries_, number).buffers;
}

// The graph that becomes this one with the fewest changes, and these.
GraphTable::Entry* GraphTable::most_alike(const protocol::Graph& graph, protocol::GraphEdit& edit) {
    std::vector<Entry*> candidates;
    for (Entry& entry : entries_)
        if (alike(entry.graph, graph))
            candidates.push_back(&entry);
    std::sort(candidates.begin(), candidates.end(),
              [](const Entry* a, const Entry* b) { return a->last_use > b->last_use; });
    if (candidates.size() > kMostCompared)
        candidates.resize(kMostCompared);

    Entry* best = nullptr;
    protocol::GraphEdit changes;
    size_t most = graph.tensors.size() / kLargestEdit;
    for (Entry* const entry : candidates) {
        if (!compare(entry->graph, graph, most, changes))
            continue;
        best = entry;
        std::swap(edit, changes);
        if (edit.changes.empty())
            break;
        most = edit.changes.size() - 1;
    }
    return best;
}

std::vector<uint32_t> GraphTable::make_room(size_t tensors) {
    std::vector<uint32_t> dropped;
    while (entries_.size() >= limits_.graphs || tensors_ + tensors > limits_.tensors) {
        const auto oldest = std::min_element(
            entries_.begin(), entries_.end(),
            [](const Entry& a, const Entry& b) { return a.last_use < b.last_use; });
        dropped.push_back(oldest->number);
        tensors_ -= oldest->graph.tensors.size();
        entries_.erase(oldest);
    }
    return dropped;
}

}  // namespace virtgpu::frontend
