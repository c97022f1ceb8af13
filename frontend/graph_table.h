#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "protocol/generated/structures.h"

namespace virtgpu::frontend {

// The graphs that the host has for a stream. This side decides what it keeps, so that a graph which
// was queued is always there. For one thread.
class GraphTable {
 public:
    struct Limits {
        uint32_t graphs = 0;
        uint32_t tensors = 0;  // in all graphs together
    };

    explicit GraphTable(Limits limits) : limits_(limits) {}

    // The graph that had this uid and was seen when so many buffers had been freed. ggml gives a
    // graph another uid when it changes; a freed buffer's tensors may be elsewhere.
    std::optional<uint32_t> find(uint64_t uid, uint64_t buffers_freed);

    // What to do so that the host has the graph.
    struct Plan {
        enum class Step { kNothing, kEdit, kDefine };

        Step step = Step::kNothing;
        uint32_t number = 0;
        protocol::GraphEdit edit;             // for kEdit
        std::vector<uint32_t> to_be_dropped;  // before kDefine
    };

    // Takes the graph over, by exchange; what it gets back has no meaning. Nothing when the host
    // would not take it at all.
    std::optional<Plan> add(protocol::Graph& graph, uint64_t uid, uint64_t buffers_freed);

    // The graph of a number that add() gave last, which had no uid yet.
    void set_uid(uint32_t number, uint64_t uid);

    // Of a number that find() or add() gave last; the buffers are those of its tensors.
    const protocol::Graph& graph(uint32_t number) const;
    const std::vector<protocol::Handle>& buffers(uint32_t number) const;

 private:
    struct Entry {
        uint32_t number = 0;
        uint64_t uid = 0;
        uint64_t buffers_freed = 0;
        uint64_t last_use = 0;
        protocol::Graph graph;
        std::vector<protocol::Handle> buffers;
    };

    Entry* most_alike(const protocol::Graph& graph, protocol::GraphEdit& edit);
    std::vector<uint32_t> make_room(size_t tensors);

    const Limits limits_;
    std::vector<Entry> entries_;
    size_t tensors_ = 0;
    uint32_t next_number_ = 1;
    uint64_t uses_ = 0;
};

}  // namespace virtgpu::frontend
