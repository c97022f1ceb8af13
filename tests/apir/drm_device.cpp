#include "tests/apir/drm_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>

#include "frontend/transport/virtgpu_uapi.h"

namespace virtgpu::test {

namespace uapi = frontend::uapi;

namespace {

constexpr uint32_t kVenus = 4;
constexpr int32_t kFirstTypeOnVenus = 331;
constexpr int kFirstNode = 128;
constexpr int kNodes = 8;

template <typename Request>
void call(int node, unsigned long number, Request& request, const char* what) {
    while (::ioctl(node, number, &request) != 0)
        if (errno != EINTR && errno != EAGAIN)
            throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

bool is_virtio_gpu(int node) {
    std::array<char, 32> name{};
    drm_version version{};
    version.name = name.data();
    version.name_len = name.size() - 1;
    return ::ioctl(node, DRM_IOCTL_VERSION, &version) == 0 && version.version_major == 0 &&
           std::string_view(name.data()) == "virtio_gpu";
}

wire::FileDescriptor open_node() {
    for (int i = 0; i < kNodes; ++i) {
        const std::string path = "/dev/dri/renderD" + std::to_string(kFirstNode + i);
        wire::FileDescriptor node(::open(path.c_str(), O_RDWR | O_CLOEXEC));
        if (node && is_virtio_gpu(node.number()))
            return node;
    }
    throw std::runtime_error("there is no virtio_gpu");
}

}  // namespace

DrmDevice::DrmDevice(uint32_t capset) : capset_(capset), node_(open_node()) {
    std::array<uint32_t, 6> words{};
    uapi::GetCaps caps{capset, 0, uapi::address_of(words.data()), sizeof words, 0};
    call(node_.number(), uapi::kIoctlGetCaps, caps, "GET_CAPS");
    if (words[1] == 0)
        throw std::runtime_error("the capset knows no blobs");
    const std::array parameters{
        uapi::ContextSetParam{uapi::kContextParamCapsetId, capset},
        uapi::ContextSetParam{uapi::kContextParamNumRings, 1},
        uapi::ContextSetParam{uapi::kContextParamPollRingsMask, 0},
    };
    uapi::ContextInit init{parameters.size(), 0, uapi::address_of(parameters.data())};
    call(node_.number(), uapi::kIoctlContextInit, init, "CONTEXT_INIT");
}

int32_t DrmDevice::first_type() const {
    return capset_ == kVenus ? kFirstTypeOnVenus : 0;
}

Blob DrmDevice::create_blob(size_t size) {
    uapi::ResourceCreateBlob create{};
    create.blob_mem = uapi::kBlobMemHost3d;
    create.blob_flags = uapi::kBlobFlagUseMappable;
    create.size = size;
    call(node_.number(), uapi::kIoctlCreateBlob, create, "RESOURCE_CREATE_BLOB");
    uapi::Map map{0, create.bo_handle, 0};
    call(node_.number(), uapi::kIoctlMap, map, "MAP");
    void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, node_.number(),
                                static_cast<off_t>(map.offset));
    if (memory == MAP_FAILED)
        throw std::runtime_error("no place for a blob");
    handles_[create.res_handle] = create.bo_handle;
    return {create.res_handle, static_cast<std::byte*>(memory), size};
}

void DrmDevice::destroy_blob(const Blob& blob) {
    ::munmap(blob.memory, blob.size);
    drm_gem_close close{handles_.at(blob.resource), 0};
    handles_.erase(blob.resource);
    call(node_.number(), DRM_IOCTL_GEM_CLOSE, close, "GEM_CLOSE");
}

void DrmDevice::submit(std::span<const std::byte> command) {
    uapi::Execbuffer execute{};
    execute.flags = uapi::kRingIdx;
    execute.size = static_cast<uint32_t>(command.size());
    execute.command = uapi::address_of(command.data());
    call(node_.number(), uapi::kIoctlExecbuffer, execute, "EXECBUFFER");
}

}  // namespace virtgpu::test
