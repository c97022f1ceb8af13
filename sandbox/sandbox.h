// What a process gives up, in the right order, and what it says of that.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sandbox/files.h"
#include "sandbox/profile.h"
#include "wire/result.h"

namespace virtgpu::sandbox {

enum class Mode {
    kStrict,  // all that the system allows, the filter of system calls in any case
    kNone,
};

// For the log.
class State {
 public:
    void add(std::string measure) { in_force_.push_back(std::move(measure)); }
    // Without which the rest still holds. `reason` says what it was and why.
    void leave_out(std::string reason) { left_out_.push_back(std::move(reason)); }

    // "no new privileges, ...; left out: ..."
    std::string describe() const;

 private:
    std::vector<std::string> in_force_;
    std::vector<std::string> left_out_;
};

// The device process: has no GPU, no network, no files and starts no processes from now on. For a
// process with one thread. Fails where the system takes no filter of system calls.
wire::Result<State> confine_device();

struct LoadingRules {
    Reachable files;
    bool network = false;  // backends connect to servers while they load
};

// A worker before it loads backends, whose threads are confined with it. For one thread.
wire::Result<State> confine_loading(const LoadingRules& rules);

// A worker that has loaded all that it needs. `memory`: bytes that it may have for itself, 0: no
// limit.
wire::Result<void> confine_computing(Profile profile, uint64_t memory, State& state);

}  // namespace virtgpu::sandbox
