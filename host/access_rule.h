// Who may use the host's sockets, beyond what the socket files' modes say.
#pragma once

#include <string>
#include <vector>

#include "host/peer.h"
#include "wire/result.h"

namespace virtgpu::host {

// Names or numbers of users and groups. All empty: whom the socket file's mode lets in.
struct AllowedAccounts {
    std::vector<std::string> users;
    std::vector<std::string> groups;
};

class AccessRule {
 public:
    // Fault::kRefused for a name that this machine does not know.
    static wire::Result<AccessRule> create(const AllowedAccounts& allowed);

    // The user that this program runs as is always allowed.
    bool allows(const Peer& peer) const;

 private:
    AccessRule() = default;

    bool anybody_ = false;
    std::vector<uid_t> users_;
    std::vector<gid_t> groups_;
};

}  // namespace virtgpu::host
