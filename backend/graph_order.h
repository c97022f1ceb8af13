// In which order a backend wants to compute a graph.
#pragma once

#include <ggml-backend.h>

#include "backend/session.h"
#include "protocol/generated/structures.h"

namespace virtgpu::backend {

// Whether the backend has a say in it.
bool reorders_graphs(ggml_backend_t backend);

// Asks the backend. Without data: the guest asks before it places anything. Fault::kPeer and
// kRefused as the validator says, kRefused also for a backend that has no say, and for an order
// that the reply cannot hold.
Result<protocol::OptimizeGraphReply> better_order(ggml_backend_t backend, Session& session,
                                                  const protocol::Graph& graph);

}  // namespace virtgpu::backend
