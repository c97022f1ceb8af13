#include "wire/sys/accounts.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <cstdint>
#include <optional>

namespace virtgpu::wire {

namespace {

std::optional<uint32_t> number_in(const std::string& text) {
    uint32_t number = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end)
        return std::nullopt;
    return number;
}

}  // namespace

Result<uid_t> find_user(const std::string& name_or_number) {
    if (const passwd* entry = ::getpwnam(name_or_number.c_str()))
        return entry->pw_uid;
    if (const auto number = number_in(name_or_number))
        return *number;
    return fail(Fault::kRefused, "this machine has no user '{}'", name_or_number);
}

Result<gid_t> find_group(const std::string& name_or_number) {
    if (const group* entry = ::getgrnam(name_or_number.c_str()))
        return entry->gr_gid;
    if (const auto number = number_in(name_or_number))
        return *number;
    return fail(Fault::kRefused, "this machine has no group '{}'", name_or_number);
}

std::string user_name(uid_t user) {
    const passwd* entry = ::getpwuid(user);
    return entry == nullptr ? "?" : entry->pw_name;
}

std::string group_name(gid_t group) {
    const ::group* entry = ::getgrgid(group);
    return entry == nullptr ? "?" : entry->gr_name;
}

}  // namespace virtgpu::wire
