#include "host/configuration_file.h"

#include <toml++/toml.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>

namespace virtgpu::host {

using wire::Fault;
using wire::Result;

namespace {

std::optional<std::string> word_of(const toml::node& node) {
    if (const auto* text = node.as_string())
        return text->get();
    if (const auto* number = node.as_integer())
        return std::to_string(number->get());
    if (const auto* truth = node.as_boolean())
        return truth->get() ? "true" : "false";
    return std::nullopt;
}

class Flattener {
 public:
    explicit Flattener(const std::string& path) : path_(path) {}

    Result<void> add(const toml::table& table, const std::string& prefix) {
        for (const auto& [name, node] : table) {
            const std::string key = prefix + std::string(name.str());
            if (const toml::table* inner = node.as_table())
                TRY(add(*inner, key + "."));
            else
                TRY(add_value(key, node));
        }
        return {};
    }

    Configuration take() { return std::move(found_); }

 private:
    Result<void> add_value(const std::string& key, const toml::node& node) {
        ConfiguredValue value{{}, node.source().begin.line};
        if (const toml::array* array = node.as_array()) {
            for (const toml::node& element : *array)
                TRY(add_word(key, element, value));
        } else {
            TRY(add_word(key, node, value));
        }
        found_.emplace(key, std::move(value));
        return {};
    }

    Result<void> add_word(const std::string& key, const toml::node& node, ConfiguredValue& value) {
        auto word = word_of(node);
        if (!word)
            return wire::fail(Fault::kRefused,
                              "{}:{}: {} takes a text in quotes, a whole number, true or false, or "
                              "an array of them",
                              path_, value.line, key);
        value.words.push_back(std::move(*word));
        return {};
    }

    const std::string& path_;
    Configuration found_;
};

}  // namespace

Result<Configuration> read_configuration(const std::string& path) try {
    std::ifstream file(path);
    if (!file)
        return wire::system_failure(errno, wire::format("reading the configuration file {}", path));
    // It can be opened, and seems empty then.
    if (std::filesystem::is_directory(path))
        return wire::fail(Fault::kRefused, "the configuration file {} is a folder", path);
    const toml::table table = toml::parse(file, path);
    Flattener flattener(path);
    TRY(flattener.add(table, ""));
    return flattener.take();
} catch (const toml::parse_error& error) {
    return wire::fail(Fault::kRefused, "{}:{}: {}", path, error.source().begin.line,
                      error.description());
}

}  // namespace virtgpu::host
