// An eventfd: a wake-up that is remembered until it is taken.
#pragma once

#include "wire/result.h"
#include "wire/sys/file_descriptor.h"

namespace virtgpu::device {

class EventFile {
 public:
    static wire::Result<EventFile> create();
    // Takes an eventfd that a peer sent, and makes reading it non-blocking.
    static wire::Result<EventFile> adopt(wire::FileDescriptor file);

    int number() const { return file_.number(); }
    // Never blocks: an eventfd that is full is signaled already.
    void signal() const;
    // True when it was signaled since the last call.
    bool take() const;

 private:
    explicit EventFile(wire::FileDescriptor file) : file_(std::move(file)) {}

    wire::FileDescriptor file_;
};

}  // namespace virtgpu::device
