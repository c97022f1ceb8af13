#include "wire/sys/file_descriptor.h"

#include <unistd.h>

namespace virtgpu::wire {

void FileDescriptor::reset() {
    if (number_ >= 0)
        ::close(number_);
    number_ = -1;
}

}  // namespace virtgpu::wire
