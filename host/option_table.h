// Every option of ggml-virtgpu-host, defined once: the command line, the environment variables, the
// configuration file and the table of docs/configuration.md all follow from these rows.
//
// A new option is a member of Options (or Draft, where it is checked later) and a row in
// option_table.cpp; tests/unit/host/configuration_page_test.cpp then says what to write into the
// documentation.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/options.h"

namespace virtgpu::host {

// Options as they are read, before they are checked together.
struct Draft {
    Options options;
    std::string configuration_file;
    std::string worker;
    std::string window;
    std::string sandbox = "strict";
    std::string memory;
    std::string queue;
    std::string socket_mode;
    int connection = -1;
    bool route_venus = false;
    bool print_capabilities = false;
    bool print_version = false;
};

struct OptionRow {
    using Declare = std::function<CLI::Option*(CLI::App&, const OptionRow&, Draft&)>;

    std::string_view names;           // as CLI11 takes them: "--repack,!--no-repack"
    std::string_view variables = "";  // of the environment, the first that is set counts: "A,B"
    std::string_view key = "";        // in the configuration file; dots separate tables
    std::string_view value = "";      // what stands for the value; empty: a flag
    std::string_view help = "";
    std::string_view default_value = "";
    bool with_devices = false;  // also an option of the subcommand `devices`
    bool presence = false;      // a flag that its variable sets with any value, the empty one too
    Declare declare;
};

std::vector<OptionRow> option_table();

// The names that --help shows: "--repack, --no-repack".
std::string shown_names(const OptionRow& row);
std::vector<std::string> variables_of(const OptionRow& row);

}  // namespace virtgpu::host
