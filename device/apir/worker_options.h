// How the compute worker is started.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace virtgpu::apir {

struct WorkerOptions {
    std::string program;                // path
    std::string host_version;           // of the program that starts it; empty: any
    std::vector<std::string> backends;  // names or paths of libraries; empty: all that are found
    std::string apir_library;           // path; computes instead, by virglrenderer's C interface
    std::string ggml_library;           // path of one more backend's library, and two of its
    std::string ggml_library_reg;       // functions: the one that registers it
    std::string ggml_library_init;      // and one that is called before
    std::vector<std::string> rpc;       // HOST:PORT of ggml-rpc-servers
    std::vector<std::string> devices;   // ggml's names; empty: all
    std::optional<unsigned> threads;    // empty: the backend's choice
    std::string trace_folder;           // empty: nothing is traced
    bool sandboxed = true;
    uint64_t memory = 0;              // bytes that its contexts can hold; 0: what the devices have
    uint32_t buffers = 65536;         // of one context
    uint32_t graph_tensors = 262144;  // of one stream
    uint32_t graph_seconds = 600;     // that a graph may take; 0: no limit
    bool repack = true;               // compute with copies of weights where that is faster
    std::string log_level = "info";
    std::string log_file;  // empty: none
};

// The program and the options, to which the caller adds what the worker is to do.
std::vector<std::string> worker_command(const WorkerOptions& options);

}  // namespace virtgpu::apir
