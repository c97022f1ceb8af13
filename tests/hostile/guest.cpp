// A hostile program in a VM: raw ioctls of the virtio_gpu driver, no frontend.
//
// usage: hostile_guest SEED COUNT
//
// Each sequence is a process of its own, which has 5 s; the last line says how many there were and
// how many of them had to be ended. Exits with 0 whatever the device said.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "frontend/transport/virtgpu_uapi.h"

namespace {

namespace uapi = virtgpu::frontend::uapi;

constexpr unsigned kSeconds = 5;
constexpr const char* kNode = "/dev/dri/renderD128";
constexpr std::array<uint32_t, 15> kEdges{
    0, 1, 2, 3, 4, 16, 255, 4095, 4096, 4097, 4099, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF};

class Attacker {
 public:
    explicit Attacker(unsigned seed) : chance_(seed), node_(::open(kNode, O_RDWR | O_CLOEXEC)) {}

    void attack() {
        if (below(4) != 0)
            init_context();
        const uint32_t steps = 1 + below(12);
        for (uint32_t i = 0; i < steps; ++i)
            step();
        if (below(3) == 0)
            ::close(node_);
    }

 private:
    uint32_t below(uint32_t limit) { return static_cast<uint32_t>(chance_() % limit); }
    uint32_t edge() {
        return below(10) < 7 ? kEdges[below(kEdges.size())] : static_cast<uint32_t>(chance_());
    }
    template <typename Argument>
    bool call(unsigned long request, Argument& argument) {
        return ::ioctl(node_, request, &argument) == 0;
    }

    void init_context() {
        std::array<uapi::ContextSetParam, 3> parameters{
            {{uapi::kContextParamCapsetId, below(5) == 0 ? edge() : 10},
             {uapi::kContextParamNumRings, below(5) == 0 ? edge() : 64},
             {uapi::kContextParamPollRingsMask, edge()}}};
        uapi::ContextInit init{1 + below(3), 0, reinterpret_cast<uint64_t>(parameters.data())};
        call(uapi::kIoctlContextInit, init);
    }

    void step() {
        switch (below(6)) {
            case 0:
                return ask_capset();
            case 1:
            case 2:
                return make_blob();
            case 3:
                return scribble();
            default:
                return below(2) == 0 ? submit(noise()) : submit(level1());
        }
    }

    void ask_capset() {
        std::array<std::byte, 4096> answer{};
        uapi::GetCaps caps{below(2) == 0 ? 10 : edge(), edge(),
                           reinterpret_cast<uint64_t>(answer.data()), 4096, 0};
        call(uapi::kIoctlGetCaps, caps);
    }

    void make_blob() {
        constexpr std::array<uint64_t, 6> kSizes{0, 4096, 65536, 12288, 1 << 20, 1ULL << 40};
        uapi::ResourceCreateBlob blob{};
        blob.blob_mem = below(5) == 0 ? edge() : uapi::kBlobMemHost3d;
        blob.blob_flags = below(5) == 0 ? edge() : uapi::kBlobFlagUseMappable;
        blob.size = kSizes[below(kSizes.size())];
        blob.blob_id = below(5) == 0 ? edge() : 0;
        if (!call(uapi::kIoctlCreateBlob, blob))
            return;
        handles_.push_back(blob.bo_handle);
        regions_.push_back(blob.res_handle);
        uapi::Map map{0, blob.bo_handle, 0};
        if (below(2) == 0 || !call(uapi::kIoctlMap, map))
            return;
        void* const memory = ::mmap(nullptr, blob.size, PROT_READ | PROT_WRITE, MAP_SHARED, node_,
                                    static_cast<off_t>(map.offset));
        if (memory != MAP_FAILED)
            mapped_.push_back({memory, blob.size});
    }

    // Over rings, replies and everything else that is shared.
    void scribble() {
        if (mapped_.empty())
            return;
        const auto [memory, size] = mapped_[below(static_cast<uint32_t>(mapped_.size()))];
        for (int i = 0; i < 200; ++i) {
            const uint32_t word = edge();
            const size_t place = below(static_cast<uint32_t>(size / sizeof word)) * sizeof word;
            std::memcpy(static_cast<std::byte*>(memory) + (i % 2 == 0 ? place % 4096 : place),
                        &word, sizeof word);
        }
    }

    std::vector<uint32_t> noise() {
        std::vector<uint32_t> words(below(64));
        for (uint32_t& word : words)
            word = edge();
        return words;
    }

    // LOADLIBRARY, OPEN_RING and their like, with what exists and what does not.
    std::vector<uint32_t> level1() {
        std::vector<uint32_t> words{below(3), below(3) == 0 ? edge() : 4096 + below(4), region()};
        for (const uint32_t word : {below(4), region(), uint32_t{4096}, uint32_t{4096}})
            words.push_back(below(8) == 0 ? edge() : word);
        return words;
    }

    uint32_t region() {
        return regions_.empty() || below(8) == 0
                   ? edge()
                   : regions_[below(static_cast<uint32_t>(regions_.size()))];
    }

    void submit(const std::vector<uint32_t>& words) {
        uapi::Execbuffer buffer{};
        buffer.flags = below(3) == 0 ? uapi::kRingIdx : 0;
        buffer.flags |= below(4) == 0 ? uapi::kFenceFdOut : 0;
        buffer.size = static_cast<uint32_t>(words.size() * sizeof(uint32_t));
        buffer.command = reinterpret_cast<uint64_t>(words.data());
        buffer.bo_handles = reinterpret_cast<uint64_t>(handles_.data());
        buffer.num_bo_handles = below(2) == 0 ? 0 : static_cast<uint32_t>(handles_.size());
        buffer.fence_fd = -1;
        buffer.ring_idx = below(5) == 0 ? edge() : below(64);
        call(uapi::kIoctlExecbuffer, buffer);
    }

    struct Mapped {
        void* memory;
        size_t size;
    };

    std::mt19937 chance_;
    int node_;
    std::vector<uint32_t> handles_;
    std::vector<uint32_t> regions_;
    std::vector<Mapped> mapped_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3)
        return EXIT_FAILURE;
    const auto seed = static_cast<unsigned>(std::atoi(argv[1]));
    const int count = std::atoi(argv[2]);
    int ended = 0;
    for (int i = 0; i < count; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(kSeconds);
            Attacker(seed * 1'000'003U + static_cast<unsigned>(i)).attack();
            // Half of them leave everything to the kernel.
            if (i % 2 == 0)
                ::kill(::getpid(), SIGKILL);
            ::_exit(0);
        }
        int status = 0;
        ::waitpid(child, &status, 0);
        ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    }
    static_cast<void>(std::printf("%d sequences, %d ended after %u s\n", count, ended, kSeconds));
    return EXIT_SUCCESS;
}
