// What starts a worker for a device under test.
#pragma once

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "device/apir/worker_launcher.h"
#include "tests/fuzz/require.h"

namespace virtgpu::fuzz {

// One process for all inputs, as a device process has. $VIRTGPU_FUZZ_WORKER answers as a worker
// does, without ggml, and `behaviour` says how (tests/unit/device/fake_worker.cpp); without it no
// worker can be started, which is worth a look as well.
inline apir::WorkerLauncher& worker_launcher(const std::string& behaviour = "echo") {
    static std::map<std::string, std::unique_ptr<apir::WorkerLauncher>> launchers;
    auto& launcher = launchers[behaviour];
    if (!launcher) {
        apir::WorkerOptions options;
        const char* const program = std::getenv("VIRTGPU_FUZZ_WORKER");
        options.program = program == nullptr ? "/nonexistent" : program;
        options.backends = {behaviour};
        auto started = apir::WorkerLauncher::start(options, {});
        require(started.has_value(), "there is a process that starts workers");
        launcher = std::move(*started);
    }
    return *launcher;
}

}  // namespace virtgpu::fuzz
