// Who is at the other end of a Unix socket, as the kernel says.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "wire/result.h"

namespace virtgpu::host {

struct Peer {
    pid_t process = 0;  // 0 where it is in a namespace that we do not see
    uid_t user = 0;
    std::vector<gid_t> groups;  // all of them

    // "user alice (uid 1000), process 4711"
    std::string describe() const;
};

// Who connected, or for the other end of a pair, who made it.
wire::Result<Peer> peer_of(int socket);

}  // namespace virtgpu::host
