#pragma once

#include "frontend/transport/drm_transport.h"

namespace virtgpu::frontend {

// A device with context types and blobs: every ring has a time line of its own.
class BlobTransport : public DrmTransport {
 public:
    // Where regions are.
    enum class Memory {
        kHost,   // in the device's host-visible window
        kGuest,  // there is no such window
    };

    static wire::Result<std::unique_ptr<DrmTransport>> open(wire::FileDescriptor node,
                                                            std::string name,
                                                            const CapsetChoice& choice,
                                                            Memory memory);
    BlobTransport(wire::FileDescriptor node, std::string name, const CapsetChoice& choice,
                  Memory memory)
        : DrmTransport(std::move(node), std::move(name), choice), memory_(memory) {}

    wire::Result<std::unique_ptr<SharedRegion>> create_region(size_t size) override;

 private:
    void choose_time_line(uapi::Execbuffer& request, uint32_t ring) const override;
    wire::Result<void> init_context() const;

    Memory memory_;
};

}  // namespace virtgpu::frontend
