#include "backend/apir/memory_use.h"

#include <algorithm>
#include <map>

#include "backend/apir/forward_handles.h"
#include "backend/validate/layout.h"

namespace virtgpu::backend {

namespace {

struct Bytes {
    uint64_t buffer = 0;
    uint64_t begin = 0;
    uint64_t end = 0;

    bool empty() const { return begin == end; }
    bool meets(const Bytes& other) const {
        return !empty() && !other.empty() && buffer == other.buffer && begin < other.end &&
               other.begin < end;
    }
};

Result<Bytes> bytes_of(const protocol::Tensor& tensor, const validate::Vocabulary& vocabulary) {
    const uint32_t type = TRY(vocabulary.type(tensor.type));
    const uint64_t size = TRY(validate::extent(vocabulary.traits(type), tensor.ne, tensor.nb));
    uint64_t end = 0;
    if (__builtin_add_overflow(tensor.data_offset, size, &end))
        return wire::fail(Fault::kPeer, "a tensor of {} bytes at {}", size, tensor.data_offset);
    return Bytes{word_of(tensor.buffer), tensor.data_offset, end};
}

Result<std::vector<Bytes>> all_bytes(const protocol::Graph& graph,
                                     const validate::Vocabulary& vocabulary) {
    std::vector<Bytes> all;
    all.reserve(graph.tensors.size());
    for (const protocol::GraphTensor& tensor : graph.tensors)
        all.push_back(TRY(bytes_of(tensor.tensor, vocabulary)));
    return all;
}

Result<validate::OpKind> kind_of(const protocol::GraphTensor& tensor,
                                 const validate::Vocabulary& vocabulary) {
    return vocabulary.rules(TRY(vocabulary.op(tensor.tensor.op))).kind;
}

// Ranges of bytes, any number of them.
class Written {
 public:
    void add(Bytes bytes) {
        if (bytes.empty())
            return;
        auto& ranges = by_buffer_[bytes.buffer];
        auto next = ranges.upper_bound(bytes.end);
        while (next != ranges.begin() && std::prev(next)->second >= bytes.begin) {
            --next;
            bytes.begin = std::min(bytes.begin, next->first);
            bytes.end = std::max(bytes.end, next->second);
            next = ranges.erase(next);
        }
        ranges.emplace(bytes.begin, bytes.end);
    }

    bool meets(const Bytes& bytes) const {
        const auto ranges = by_buffer_.find(bytes.buffer);
        if (bytes.empty() || ranges == by_buffer_.end())
            return false;
        const auto behind = ranges->second.lower_bound(bytes.end);
        return behind != ranges->second.begin() && std::prev(behind)->second > bytes.begin;
    }

 private:
    std::map<uint64_t, std::map<uint64_t, uint64_t>> by_buffer_;  // begin to end, apart
};

// What one node reads and writes.
struct Access {
    std::vector<Bytes> reads;
    Bytes writes;

    bool goes_with(const Access& other) const {
        return !writes.meets(other.writes) && !read_of(other.writes) && !other.read_of(writes);
    }
    bool read_of(const Bytes& written) const {
        return std::any_of(reads.begin(), reads.end(),
                           [&](const Bytes& read) { return read.meets(written); });
    }
};

Result<Access> access_of(const protocol::Graph& graph, uint32_t node,
                         const std::vector<Bytes>& bytes, const validate::Vocabulary& vocabulary) {
    Access access;
    const protocol::GraphTensor& tensor = graph.tensors[node];
    if (TRY(kind_of(tensor, vocabulary)) == validate::OpKind::kView)
        return access;
    for (const uint32_t source : tensor.source)
        if (source != 0)
            access.reads.push_back(bytes[source - 1]);
    access.writes = bytes[node];
    return access;
}

}  // namespace

Result<void> count_uses(protocol::Graph& graph, const validate::Vocabulary& vocabulary) {
    const std::vector<Bytes> bytes = TRY(all_bytes(graph, vocabulary));
    for (const uint32_t node : graph.nodes)
        for (const uint32_t source : graph.tensors[node].source)
            if (source != 0)
                ++graph.tensors[source - 1].use_count;
    Written later;
    for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
        protocol::GraphTensor& tensor = graph.tensors[*node];
        if (!later.meets(bytes[*node]))
            ++tensor.use_count;
        // What writes through a view keeps the tensor and changes it.
        if (tensor.view_source == 0)
            later.add(bytes[*node]);
    }
    return {};
}

Result<bool> may_reorder(const protocol::Graph& graph, const std::vector<uint32_t>& order,
                         const validate::Vocabulary& vocabulary) {
    if (!std::is_permutation(order.begin(), order.end(), graph.nodes.begin(), graph.nodes.end()))
        return false;
    const std::vector<Bytes> bytes = TRY(all_bytes(graph, vocabulary));
    std::vector<Access> accesses;
    accesses.reserve(order.size());
    for (const uint32_t node : order)
        accesses.push_back(TRY(access_of(graph, node, bytes, vocabulary)));
    // Positions ascend in the graph's own order.
    for (size_t later = 1; later < order.size(); ++later)
        for (size_t earlier = 0; earlier < later; ++earlier)
            if (order[earlier] > order[later] && !accesses[earlier].goes_with(accesses[later]))
                return false;
    return true;
}

}  // namespace virtgpu::backend
