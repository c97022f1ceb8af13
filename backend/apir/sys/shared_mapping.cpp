#include "backend/apir/sys/shared_mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace virtgpu::backend {

#if defined(__linux__)

namespace {

class MappedAgain : public wire::Region {
 public:
    MappedAgain(std::byte* base, size_t size) : Region(base, size) {}
    ~MappedAgain() override { ::munmap(base(), size()); }
    MappedAgain(const MappedAgain&) = delete;
    MappedAgain& operator=(const MappedAgain&) = delete;
};

// A line of /proc/self/maps.
struct Line {
    uint64_t begin = 0;
    uint64_t end = 0;
    std::string permissions;
    uint64_t offset = 0;
    unsigned device_major = 0;
    unsigned device_minor = 0;
    uint64_t inode = 0;

    bool read(const std::string& text) {
        std::istringstream stream(text);
        char separator = 0;
        stream >> std::hex >> begin >> separator >> end >> permissions >> offset;
        stream >> device_major >> separator >> device_minor >> std::dec >> inode;
        return !stream.fail() && permissions.size() >= 4;
    }
    bool is_shared_memory() const {
        return permissions[0] == 'r' && permissions[1] == 'w' && permissions[3] == 's';
    }
};

}  // namespace

wire::Result<SharedMapping> find_shared_mapping(const void* address) {
    const auto wanted = reinterpret_cast<uintptr_t>(address);
    std::ifstream maps("/proc/self/maps");
    std::string text;
    Line line;
    while (std::getline(maps, text)) {
        if (!line.read(text) || line.begin != wanted)
            continue;
        if (!line.is_shared_memory())
            break;
        SharedMapping mapping;
        mapping.begin = static_cast<std::byte*>(const_cast<void*>(address));
        mapping.size = line.end - line.begin;
        mapping.device = (uint64_t{line.device_major} << 32) | line.device_minor;
        mapping.inode = line.inode;
        mapping.offset = line.offset;
        return mapping;
    }
    return wire::fail(wire::Fault::kRefused,
                      "a region is no shared mapping of its own, so its size is not known");
}

wire::Result<std::shared_ptr<wire::Region>> map_again(const SharedMapping& mapping) {
    // An old size of 0 asks for a second mapping of the same pages.
    void* const memory = ::mremap(mapping.begin, 0, mapping.size, MREMAP_MAYMOVE);
    if (memory == MAP_FAILED)
        return wire::system_failure(errno, "mapping a region again");
    return std::make_shared<MappedAgain>(static_cast<std::byte*>(memory), mapping.size);
}

#else

wire::Result<SharedMapping> find_shared_mapping(const void* /*address*/) {
    return wire::fail(wire::Fault::kRefused, "this system does not tell how large a region is");
}

wire::Result<std::shared_ptr<wire::Region>> map_again(const SharedMapping& /*mapping*/) {
    return wire::fail(wire::Fault::kRefused, "this system does not map a region again");
}

#endif

}  // namespace virtgpu::backend
