#include "host/access_rule.h"

#include <unistd.h>

#include <algorithm>

#include "wire/sys/accounts.h"

namespace virtgpu::host {

using wire::Result;

Result<AccessRule> AccessRule::create(const AllowedAccounts& allowed) {
    AccessRule rule;
    rule.anybody_ = allowed.users.empty() && allowed.groups.empty();
    rule.users_.push_back(::geteuid());
    for (const std::string& user : allowed.users)
        rule.users_.push_back(TRY(wire::find_user(user)));
    for (const std::string& group : allowed.groups)
        rule.groups_.push_back(TRY(wire::find_group(group)));
    return rule;
}

bool AccessRule::allows(const Peer& peer) const {
    const auto listed = [](const auto& list, auto wanted) {
        return std::find(list.begin(), list.end(), wanted) != list.end();
    };
    return anybody_ || listed(users_, peer.user) ||
           std::any_of(peer.groups.begin(), peer.groups.end(),
                       [&](gid_t group) { return listed(groups_, group); });
}

}  // namespace virtgpu::host
