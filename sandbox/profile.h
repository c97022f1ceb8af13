// What a process is there for decides what it keeps.
#pragma once

namespace virtgpu::sandbox {

enum class Profile {
    kDevice,     // parses what guests and VMMs say: no files, no network, no processes
    kProcessor,  // computes on the CPU: as the device process, and makes threads
    kRemote,     // computes on ggml-rpc-servers: in addition, sends on the connections that it has
    kGraphics,   // computes on a GPU: in addition, device files, and code made at run time
};

}  // namespace virtgpu::sandbox
