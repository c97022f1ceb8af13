// ggml as an application has it: loaded at run time, because this program has to start without it.
#pragma once

#include <ggml-backend.h>

#include <cstdint>
#include <string>
#include <vector>

#include "wire/result.h"

namespace virtgpu::doctor {

// What a ggml makes of its backends.
struct GgmlAnswer {
    std::string library;  // path of libggml
    std::string version;
    std::vector<std::string> backends;
    std::vector<std::string> devices;  // of our plug-in: "virtgpu0: NVIDIA …"
    std::string plugin;                // path of the plug-in, where it is loaded
    double round_trip = 0;             // microseconds, of a request to the host; 0: none was made
};

// Loads the library and all backends into this process. Fault::kRefused when it is no ggml.
wire::Result<GgmlAnswer> ask_ggml(const std::string& library);

}  // namespace virtgpu::doctor
