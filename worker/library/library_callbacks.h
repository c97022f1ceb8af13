// What a library of somebody else's may ask of us.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "backend/apir/virglrenderer.h"
#include "backend/regions.h"

namespace virtgpu::worker {

// A context's configuration and regions, for any thread of the library's. The C interface passes a
// context's number and nothing else, so there can be one object in the process at a time.
class LibraryCallbacks {
 public:
    using Configuration = std::map<std::string, std::string, std::less<>>;

    LibraryCallbacks(uint32_t context, Configuration configuration,
                     std::shared_ptr<const backend::Regions> regions);
    ~LibraryCallbacks();
    LibraryCallbacks(const LibraryCallbacks&) = delete;
    LibraryCallbacks& operator=(const LibraryCallbacks&) = delete;

    apir_callbacks* functions() { return &functions_; }
    // Regions that the library asked for stay mapped until then, even where the guest gives them
    // back: for the end of each call.
    void let_go_of_regions();

 private:
    static const char* get_config(uint32_t context, const char* key);
    static void* get_shmem_ptr(uint32_t context, uint32_t region);
    // Null where the number is another's.
    static LibraryCallbacks* find(uint32_t context);

    void* start_of(uint32_t region);

    const uint32_t context_;
    const Configuration configuration_;
    const std::shared_ptr<const backend::Regions> regions_;
    apir_callbacks functions_{get_config, get_shmem_ptr};
    std::mutex mutex_;
    std::vector<std::shared_ptr<wire::Region>> asked_for_;
};

}  // namespace virtgpu::worker
