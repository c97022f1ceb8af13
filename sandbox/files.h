// Landlock: which files, and which TCP ports, a process can still reach.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/result.h"

namespace virtgpu::sandbox {

// Paths that do not exist are left out.
struct Reachable {
    std::vector<std::string> readable;  // files and folders; executable too, as libraries are
    std::vector<std::string> writable;  // files and folders, for reading as well
    std::vector<uint16_t> ports;        // to connect to, from Linux 6.7 on
};

// For this thread and those that it makes from now on; needs forbid_new_privileges().
// Fault::kRefused on a kernel without Landlock. Returns what this kernel's version of it cannot
// restrict, in words; empty where it can restrict all.
wire::Result<std::string> restrict_files(const Reachable& reachable);

}  // namespace virtgpu::sandbox
