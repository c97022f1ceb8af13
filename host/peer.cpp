#include "host/peer.h"

#include <sys/socket.h>

#include <cerrno>

#include "wire/sys/accounts.h"

namespace virtgpu::host {

using wire::Result;

namespace {

// The kernel's own limit (NGROUPS_MAX).
constexpr size_t kMaxGroups = 65536;

Result<std::vector<gid_t>> supplementary_groups(int socket) {
    std::vector<gid_t> groups(kMaxGroups);
    auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) != 0)
        return wire::system_failure(errno, "asking for the groups of who connected");
    groups.resize(bytes / sizeof(gid_t));
    return groups;
}

}  // namespace

std::string Peer::describe() const {
    std::string text = wire::format("user {} (uid {})", wire::user_name(user), user);
    if (process != 0)
        text += wire::format(", process {}", process);
    return text;
}

Result<Peer> peer_of(int socket) {
    ucred credentials{};
    socklen_t bytes = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
        return wire::system_failure(errno, "asking who connected");
    auto groups = TRY(supplementary_groups(socket));
    groups.push_back(credentials.gid);
    return Peer{credentials.pid, credentials.uid, std::move(groups)};
}

}  // namespace virtgpu::host
