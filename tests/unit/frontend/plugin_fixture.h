// A plug-in that is connected to a PluginHost, to be used through libggml's public functions as an
// application does.
#pragma once

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <gmock/gmock.h>

#include <cstring>
#include <memory>

#include "frontend/connection.h"
#include "frontend/plugin/buffer_table.h"
#include "frontend/plugin/registry.h"
#include "tests/unit/frontend/plugin_host.h"

namespace virtgpu::frontend {

using protocol::Command;
using test::HostSettings;
using test::kDeviceBytes;
using test::PluginHost;
using test::RingAnswer;

struct ContextDeleter {
    void operator()(ggml_context* context) const { ggml_free(context); }
};
struct BufferDeleter {
    void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
};
struct BackendDeleter {
    void operator()(ggml_backend_t backend) const { ggml_backend_free(backend); }
};
struct EventDeleter {
    void operator()(ggml_backend_event_t event) const { ggml_backend_event_free(event); }
};
using GgmlContext = std::unique_ptr<ggml_context, ContextDeleter>;
using GgmlBuffer = std::unique_ptr<ggml_backend_buffer, BufferDeleter>;
using GgmlBackend = std::unique_ptr<ggml_backend, BackendDeleter>;
using GgmlEvent = std::unique_ptr<ggml_backend_event, EventDeleter>;

class PluginTest : public testing::Test {
 protected:
    explicit PluginTest(HostSettings host = {}, RegistrySettings settings = {})
        : host_(std::move(host)),
          registry_(ggml_private::PluginAbi::kVersion3, settings, log_),
          device_(add_devices_of(host_)) {}

    // The first device of a host.
    ggml_backend_dev_t add_devices_of(PluginHost& host) {
        auto connection = Connection::open(host.fake.make_transport(), log_);
        EXPECT_TRUE(connection) << connection.error().message();
        const size_t first = registry_.device_count();
        registry_.add(std::move(*connection));
        return registry_.device(first);
    }

    // For all tensors of the context that have no place yet.
    GgmlBuffer allocate() {
        GgmlBuffer buffer(ggml_backend_alloc_ctx_tensors_from_buft(
            context_.get(), ggml_backend_dev_buffer_type(device_)));
        EXPECT_TRUE(buffer);
        return buffer;
    }

    GgmlBackend open_backend() {
        GgmlBackend backend(ggml_backend_dev_init(device_, nullptr));
        EXPECT_TRUE(backend);
        return backend;
    }

    // With `last` and what it is computed from.
    ggml_cgraph* graph_of(ggml_tensor* last) {
        ggml_cgraph* const graph = ggml_new_graph(context_.get());
        ggml_build_forward_expand(graph, last);
        return graph;
    }

    // From now on every wait finds out that the host is gone: for what must not wait.
    void stop_host() {
        host_.fake.state = protocol::ContextState::kLost;
        host_.fake.serves_rings = false;
    }
    void resume_host() {
        host_.fake.state = protocol::ContextState::kAlive;
        host_.fake.serves_rings = true;
    }

    test::RecordingLog log_;
    PluginHost host_;
    Registry registry_;
    ggml_backend_dev_t device_ = nullptr;
    GgmlContext context_{ggml_init({.mem_size = 1 << 20, .mem_buffer = nullptr, .no_alloc = true})};
};

}  // namespace virtgpu::frontend
