// docs/configuration.md has the same options as the program.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "host/option_table.h"

namespace virtgpu::host {
namespace {

// The row of docs/configuration.md.
std::string page_row(const OptionRow& row) {
    const auto code = [](const std::string& text) {
        return text.empty() ? std::string("–") : "`" + text + "`";
    };
    const std::string option =
        shown_names(row) + (row.value.empty() ? "" : " " + std::string(row.value));
    std::string words;
    for (const std::string& variable : variables_of(row))
        words += (words.empty() ? "" : ", ") + code(variable);
    std::string line = wire::format("| {} | {} | {} | {} | {} |", code(option),
                                    words.empty() ? "–" : words, code(std::string(row.key)),
                                    row.default_value.empty() ? "–" : row.default_value, row.help);
    // A pipe would end the cell.
    for (size_t at = line.find("NAME|PATH"); at != std::string::npos; at = std::string::npos)
        line.replace(at, 9, "NAME\\|PATH");
    return line;
}

std::vector<std::string> page_rows() {
    std::ifstream page(VIRTGPU_CONFIGURATION_PAGE);
    std::vector<std::string> rows;
    for (std::string line; std::getline(page, line);)
        if (line.starts_with("| `--"))
            rows.push_back(line);
    return rows;
}

TEST(ConfigurationPage, HasEveryOptionAndNoOther) {
    std::vector<std::string> wanted;
    for (const OptionRow& row : option_table())
        wanted.push_back(page_row(row));
    EXPECT_EQ(page_rows(), wanted) << "docs/configuration.md needs these rows:\n"
                                   << wire::join(wanted, "\n");
}

TEST(ConfigurationPage, EveryOptionHasAHelpAndOneKeyOfItsOwn) {
    std::vector<std::string_view> keys;
    for (const OptionRow& row : option_table()) {
        EXPECT_FALSE(row.help.empty()) << row.names;
        if (!row.key.empty())
            keys.push_back(row.key);
    }
    std::sort(keys.begin(), keys.end());
    EXPECT_EQ(std::adjacent_find(keys.begin(), keys.end()), keys.end());
}

}  // namespace
}  // namespace virtgpu::host
