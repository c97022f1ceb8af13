#include "sandbox/system_calls.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <memory>

#include "sandbox/system_call_lists.h"

namespace virtgpu::sandbox {

using wire::Fault;
using wire::Result;

namespace {

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;
using Conditions = std::vector<scmp_arg_cmp>;

scmp_arg_cmp argument(unsigned position, scmp_compare comparison, scmp_datum_t a,
                      scmp_datum_t b = 0) {
    return {position, comparison, a, b};
}

// No code comes into being: what is executable was so before the filter.
Conditions not_executable(unsigned position) {
    return {argument(position, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)};
}

// Memory that is not the process's alone is not counted by limit_memory().
std::vector<Conditions> neither_executable_nor_shared() {
    constexpr unsigned kFlags = 3;
    Conditions of_a_file = not_executable(2);
    of_a_file.push_back(argument(kFlags, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
    Conditions its_own = not_executable(2);
    its_own.push_back(argument(kFlags, SCMP_CMP_MASKED_EQ, MAP_TYPE, MAP_PRIVATE));
    return {of_a_file, its_own};
}

// None that makes the kernel send a signal (F_SETOWN, F_SETSIG, O_ASYNC): to whom is the caller's
// choice, and any process of the user would do.
std::vector<Conditions> commands_of_fcntl(Profile profile) {
    std::vector<int> commands{F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_ADD_SEALS, F_GET_SEALS};
    if (profile == Profile::kGraphics)
        for (const int command :
             {F_DUPFD, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW})
            commands.push_back(command);
    std::vector<Conditions> alternatives{
        {argument(1, SCMP_CMP_EQ, F_SETFL), argument(2, SCMP_CMP_MASKED_EQ, O_ASYNC, 0)}};
    for (const int command : commands)
        alternatives.push_back({argument(1, SCMP_CMP_EQ, static_cast<scmp_datum_t>(command))});
    return alternatives;
}

// Each of these alternatives makes the call a listed one. None: whatever its arguments are.
std::vector<Conditions> conditions_of(std::string_view name, Profile profile) {
    const bool makes_code = profile == Profile::kGraphics;
    if (makes_code && (name == "mmap" || name == "mprotect"))
        return {};
    if (name == "mprotect" || (name == "mmap" && profile == Profile::kDevice))
        return {not_executable(2)};
    if (name == "mmap")
        return neither_executable_nor_shared();
    if (name == "prlimit64")  // its own limits
        return {{argument(0, SCMP_CMP_EQ, 0)}};
    if (name == "tgkill")  // abort()
        return {{argument(0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid()))}};
    if (name == "clone")  // threads, no processes
        return {{argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)}};
    if (name == "socketpair")
        return {{argument(0, SCMP_CMP_EQ, AF_UNIX)}};
    if (name == "newfstatat" && profile != Profile::kGraphics)  // fstat(), as glibc calls it
        return {{argument(3, SCMP_CMP_EQ, AT_EMPTY_PATH)}};
    if (name == "fcntl")
        return commands_of_fcntl(profile);
    return {};
}

Result<void> add_rule(const Filter& filter, uint32_t action, std::string_view name,
                      const Conditions& conditions) {
    const int number = seccomp_syscall_resolve_name(std::string(name).c_str());
    if (number < 0)  // not on this architecture
        return {};
    const int failed = seccomp_rule_add_array(
        filter.get(), action, number, static_cast<unsigned>(conditions.size()), conditions.data());
    if (failed != 0)
        return wire::system_failure(-failed, wire::format("a filter rule for {}", name));
    return {};
}

Result<void> allow(const Filter& filter, std::string_view name, Profile profile) {
    const auto alternatives = conditions_of(name, profile);
    if (alternatives.empty())
        return add_rule(filter, SCMP_ACT_ALLOW, name, {});
    for (const Conditions& conditions : alternatives)
        TRY(add_rule(filter, SCMP_ACT_ALLOW, name, conditions));
    return {};
}

uint32_t action_for_others(Profile profile) {
#ifdef __SANITIZE_ADDRESS__
    // The sanitizers' own calls are not the program's, and none of them must cost its report.
    constexpr bool kSanitized = true;
#else
    constexpr bool kSanitized = false;
#endif
    return kSanitized || profile == Profile::kGraphics ? SCMP_ACT_ERRNO(EPERM)
                                                       : SCMP_ACT_KILL_PROCESS;
}

Result<void> refuse(const Filter& filter, const RefusedCall& call, Profile profile) {
    const uint32_t action = SCMP_ACT_ERRNO(static_cast<uint32_t>(call.error_number));
    if (action == action_for_others(profile))  // which the library takes no rules for
        return {};
    return add_rule(filter, action, call.name, {});
}

// What an older library or kernel does not know costs speed or a line in the audit log.
void prefer(const Filter& filter, scmp_filter_attr attribute, uint32_t value) {
    static_cast<void>(seccomp_attr_set(filter.get(), attribute, value));
}

Result<Filter> new_filter(uint32_t action_for_others) {
    Filter filter(seccomp_init(action_for_others), seccomp_release);
    if (!filter)
        return wire::fail(Fault::kSystem, "no memory for a filter of system calls");
    prefer(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree of numbers, not a list
    prefer(filter, SCMP_FLTATR_CTL_LOG, 1);
    // Without it older kernels make every process with a filter slower, against attacks from code
    // that the process itself makes.
    prefer(filter, SCMP_FLTATR_CTL_SSB, 1);
    prefer(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (const int failed = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1); failed != 0)
        return wire::system_failure(-failed, "a filter for all threads");
    return filter;
}

Result<void> put_in_force(const Filter& filter) {
    if (const int failed = seccomp_load(filter.get()); failed != 0)
        return wire::system_failure(-failed, "putting the filter of system calls in force");
    return {};
}

// Drivers have ioctls of their own, which nobody lists. Those of terminals and sockets are not
// theirs: they send signals to other processes (FIOSETOWN, FIOASYNC) or type for them (TIOCSTI). A
// list of what is allowed cannot leave them out; a filter beside it can, because the stricter one
// wins. The kernel looks at the low half of the request alone, and so does the mask.
Result<void> refuse_controls_of_others() {
    constexpr scmp_datum_t kType = 0xff00;  // of an ioctl's request
    constexpr scmp_datum_t kTerminals = 'T' << 8;
    constexpr scmp_datum_t kSockets = 0x8900;
    const Filter filter = TRY(new_filter(SCMP_ACT_ALLOW));
    for (const scmp_datum_t type : {kTerminals, kSockets})
        TRY(add_rule(filter, SCMP_ACT_ERRNO(EPERM), "ioctl",
                     {argument(1, SCMP_CMP_MASKED_EQ, kType, type)}));
    return put_in_force(filter);
}

}  // namespace

std::vector<std::string> listed_system_calls(Profile profile) {
    const auto calls = allowed_calls(profile);
    std::vector<std::string> names(calls.begin(), calls.end());
    std::sort(names.begin(), names.end());
    return names;
}

Result<void> restrict_system_calls(Profile profile) {
    if (profile == Profile::kGraphics)
        TRY(refuse_controls_of_others());
    const Filter filter = TRY(new_filter(action_for_others(profile)));
    for (const std::string_view name : allowed_calls(profile))
        TRY(allow(filter, name, profile));
    for (const RefusedCall& call : refused_calls(profile))
        TRY(refuse(filter, call, profile));
    if (profile != Profile::kGraphics)  // stat()
        TRY(add_rule(filter, SCMP_ACT_ERRNO(EACCES), "newfstatat",
                     {argument(3, SCMP_CMP_NE, AT_EMPTY_PATH)}));
    return put_in_force(filter);
}

}  // namespace virtgpu::sandbox
