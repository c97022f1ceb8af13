#include "sandbox/sandbox.h"

#include "sandbox/namespaces.h"
#include "sandbox/privileges.h"
#include "sandbox/system_calls.h"

namespace virtgpu::sandbox {

using wire::Fault;
using wire::Result;

namespace {

void note_namespaces(const Namespaces& left, State& state) {
    if (const auto done = leave(left); !done)
        return state.leave_out(done.error().message());
    state.add(left.network ? "own network and IPC namespaces" : "own IPC namespace");
    if (left.files)
        state.add("an empty file system");
}

void note_files(const Reachable& reachable, State& state) {
    const auto restricted = restrict_files(reachable);
    if (!restricted)
        return state.leave_out(restricted.error().message());
    state.add("Landlock");
    if (!restricted->empty())
        state.leave_out(*restricted);
}

Result<void> note_filter(Profile profile, State& state) {
    const auto filtered = restrict_system_calls(profile);
    if (!filtered)
        return wire::fail(
            Fault::kSystem,
            "the sandbox has no filter of system calls, {}; use a kernel with seccomp, "
            "or --sandbox=no where all guests are trusted",
            filtered.error().message());
    state.add(wire::format("{} system calls", listed_system_calls(profile).size()));
    return {};
}

// Namespaces first, because they take rights that are then dropped.
Result<State> confine(const Namespaces& left, const Reachable& reachable) {
    State state;
    TRY(forbid_new_privileges());
    TRY(forbid_core_files());
    note_namespaces(left, state);
    note_files(reachable, state);
    TRY(drop_capabilities());
    state.add("no capabilities");
    return state;
}

}  // namespace

std::string State::describe() const {
    std::string text = wire::join(in_force_);
    if (!left_out_.empty())
        text += "; left out: " + wire::join(left_out_, "; ");
    return text;
}

Result<State> confine_device() {
    State state = TRY(confine({.network = true, .files = true}, {}));
    TRY(note_filter(Profile::kDevice, state));
    return state;
}

Result<State> confine_loading(const LoadingRules& rules) {
    return confine({.network = !rules.network, .files = false}, rules.files);
}

Result<void> confine_computing(Profile profile, uint64_t memory, State& state) {
    if (memory != 0) {
        TRY(limit_memory(memory));
        state.add(wire::format("at most {} MiB of memory", memory >> 20));
    }
    return note_filter(profile, state);
}

}  // namespace virtgpu::sandbox
