// Which valid graphs have to be computed without harm, whatever is in their memory.
#pragma once

#include "backend/validate/graph.h"

namespace virtgpu::fuzz {

// One node that computes, on memory of its own or exactly in place: what it reads is then what was
// put there. Otherwise a result may overwrite indices, or become a NaN that the next node asserts
// not to be, and both are data.
bool is_computable(const validate::ValidGraph& graph);

}  // namespace virtgpu::fuzz
