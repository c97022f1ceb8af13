#include "tests/unit/wire/test_region.h"

#include <sys/mman.h>
#include <unistd.h>

#include "wire/sys/file_descriptor.h"
#include "wire/sys/mapped_region.h"

namespace virtgpu::wire {

std::pair<std::shared_ptr<Region>, std::shared_ptr<Region>> make_shared_region(size_t size) {
    const FileDescriptor file(::memfd_create("test region", MFD_CLOEXEC));
    if (::ftruncate(file.number(), static_cast<off_t>(size)) != 0)
        return {};
    return {map_region(file.number(), size).value(), map_region(file.number(), size).value()};
}

}  // namespace virtgpu::wire
