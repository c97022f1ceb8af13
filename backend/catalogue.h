// The ggml devices that this host offers.
#pragma once

#include <ggml-backend.h>

#include <memory>
#include <string>
#include <vector>

#include "backend/copy_types.h"
#include "backend/export.h"
#include "backend/ggml_library.h"
#include "backend/validate/vocabulary.h"
#include "protocol/generated/structures.h"
#include "wire/log.h"
#include "wire/result.h"

namespace virtgpu::backend {

using wire::Fault;
using wire::Result;

enum class Offer {
    // The GPUs, or the CPU where there is none, so that a guest does not split a model between
    // both.
    kPreferred,
    kEverything,
};

struct CatalogueOptions {
    // Names ("cpu", "vulkan") or paths of libraries. Empty: all that are found.
    std::vector<std::string> backends{};
    // One more of `backends`, where it is named.
    GgmlLibrary library{};
    // More of them that are registered with ggml already.
    std::vector<ggml_backend_reg_t> registered{};
    // HOST:PORT of ggml-rpc-servers. With any, the backend rpc is one of `backends`.
    std::vector<std::string> rpc_servers{};
    // ggml's names of the devices to offer. Empty: all of `backends`, or what `offer` says.
    std::vector<std::string> devices{};
    Offer offer = Offer::kPreferred;
    // Where ggml's backends are. Empty: $GGML_VIRTGPU_BACKEND_DIR, then where ggml was built to
    // look.
    std::string folder{};
    // Compute with copies of weights where a device has a faster layout for them.
    bool repack = true;
};

// Where the libraries of the backends that `options` name are looked for.
VIRTGPU_EXPORT std::string library_folder(const CatalogueOptions& options);

// Thread safe once made.
class Catalogue {
 public:
    // Fault::kRefused with a message that says what to do.
    static Result<std::unique_ptr<Catalogue>> load(const CatalogueOptions& options, wire::Log& log);

    size_t size() const { return devices_.size(); }
    const std::vector<ggml_backend_dev_t>& all() const { return devices_; }
    // Fault::kPeer: positions come from guests.
    Result<ggml_backend_dev_t> device(uint32_t position) const;
    // With the memory that is free now.
    protocol::DeviceInfo describe(uint32_t position) const;

    // Of a device of this catalogue; empty where it has none or repacking is off.
    const CopyTypes& copy_types(ggml_backend_dev_t device) const;
    // Whether any device has them.
    bool copies_weights() const;

    const std::shared_ptr<const validate::HostVocabulary>& vocabulary() const {
        return vocabulary_;
    }

 private:
    struct FreeBuffer {
        void operator()(ggml_backend_buffer_t buffer) const { ggml_backend_buffer_free(buffer); }
    };

    std::vector<ggml_backend_dev_t> devices_;
    std::vector<std::unique_ptr<ggml_backend_buffer, FreeBuffer>> connections_;
    std::vector<CopyTypes> copy_types_;  // of each device
    std::shared_ptr<const validate::HostVocabulary> vocabulary_;
};

}  // namespace virtgpu::backend
