// A file that sets options: TOML.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "wire/result.h"

namespace virtgpu::host {

struct ConfiguredValue {
    std::vector<std::string> words;  // several where the file has an array
    uint32_t line;
};

// By key, with dots between the names of tables and the value's own.
using Configuration = std::map<std::string, ConfiguredValue>;

// Values are texts, whole numbers, truth values and arrays of these. Fault::kRefused with file and
// line for anything else.
wire::Result<Configuration> read_configuration(const std::string& path);

}  // namespace virtgpu::host
