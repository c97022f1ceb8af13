// ggml_cgraph as libggml-base 0.27 lays it out. It is private to ggml and may change any time: only
// GraphInternals includes this, after it has tried out that the layout is right.
#pragma once

#include <ggml.h>

#include <cstddef>
#include <cstdint>

extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the names are ggml's.

// An open-addressing table with linear probing, from address / 16 modulo size.
struct ggml_hash_set {
    size_t size;
    uint32_t* used;  // a bit per slot
    ggml_tensor** keys;
};

struct ggml_cgraph {
    int size;
    int n_nodes;
    int n_leafs;
    ggml_tensor** nodes;
    ggml_tensor** grads;
    ggml_tensor** grad_accs;
    ggml_tensor** leafs;
    int32_t* use_counts;  // by slot of visited_hash_set
    ggml_hash_set visited_hash_set;
    int order;
    uint64_t uid;
};

// NOLINTEND(readability-identifier-naming)
}  // extern "C"

static_assert(offsetof(ggml_cgraph, nodes) == 0x10 && offsetof(ggml_cgraph, leafs) == 0x28);
static_assert(offsetof(ggml_cgraph, use_counts) == 0x30);
static_assert(offsetof(ggml_cgraph, visited_hash_set) == 0x38);
static_assert(offsetof(ggml_cgraph, order) == 0x50 && offsetof(ggml_cgraph, uid) == 0x58);
static_assert(sizeof(ggml_cgraph) == 0x60);
