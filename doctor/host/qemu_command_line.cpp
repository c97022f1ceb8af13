#include "doctor/host/qemu_command_line.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace virtgpu::doctor {

namespace {

using Option = QemuCommandLine::Option;

// "a=b,c=d"; a comma that is meant as one is doubled.
Option parse_pairs(const std::string& text) {
    std::vector<std::string> parts(1);
    for (size_t i = 0; i < text.size(); ++i) {
        const bool comma = text[i] == ',';
        if (comma && i + 1 < text.size() && text[i + 1] == ',')
            parts.back() += text[i++];
        else if (comma)
            parts.emplace_back();
        else
            parts.back() += text[i];
    }
    Option option;
    for (const std::string& part : parts) {
        const size_t equals = part.find('=');
        if (equals == std::string::npos)
            option.emplace("", part);
        else
            option[part.substr(0, equals)] = part.substr(equals + 1);
    }
    return option;
}

std::string text_of(const nlohmann::json& value) {
    if (value.is_boolean())
        return value.get<bool>() ? "on" : "off";
    return value.is_string() ? value.get<std::string>() : value.dump();
}

Option parse_json(const std::string& text) {
    const auto parsed = nlohmann::json::parse(text, nullptr, false);
    Option option;
    if (!parsed.is_object())
        return option;
    for (const auto& [key, value] : parsed.items())
        option[key == "driver" || key == "qom-type" || key == "backend" ? "" : key] =
            text_of(value);
    return option;
}

std::string value(const Option& option, const std::string& key) {
    const auto found = option.find(key);
    return found == option.end() ? std::string() : found->second;
}

bool is_on(const std::string& text) {
    return text == "on" || text == "true" || text == "yes";
}

bool is_ours(const Option& device) {
    const std::string name = value(device, "");
    // The generic device can be any other device, too.
    return name.starts_with("vhost-user-gpu") || name.starts_with("vhost-user-vga") ||
           name.starts_with("vhost-user-test-device");
}

}  // namespace

QemuCommandLine::QemuCommandLine(const std::vector<std::string>& words) {
    for (size_t i = 0; i < words.size(); ++i) {
        if (i == 0) {
            program_ = words[0];
            continue;
        }
        if (words[i].ends_with("-enable-kvm"))
            enables_kvm_ = true;
        if (!words[i].starts_with("-") || i + 1 == words.size() || words[i + 1].starts_with("-"))
            continue;
        std::string name = words[i].substr(words[i].starts_with("--") ? 1 : 0);
        if (name == "-M")
            name = "-machine";
        const std::string& text = words[++i];
        options_.emplace_back(name, text.starts_with("{") ? parse_json(text) : parse_pairs(text));
    }
}

std::vector<Option> QemuCommandLine::options(const std::string& name) const {
    std::vector<Option> found;
    for (const auto& [option_name, option] : options_)
        if (option_name == name)
            found.push_back(option);
    return found;
}

std::optional<Option> QemuCommandLine::device() const {
    for (const Option& device : options("-device"))
        if (is_ours(device))
            return device;
    return std::nullopt;
}

std::string QemuCommandLine::socket_path() const {
    const auto ours = device();
    if (!ours)
        return {};
    for (const Option& chardev : options("-chardev"))
        if (value(chardev, "id") == value(*ours, "chardev"))
            return value(chardev, "path");
    return {};
}

std::optional<Option> QemuCommandLine::object(const std::string& id) const {
    for (const Option& object : options("-object"))
        if (value(object, "id") == id)
            return object;
    return std::nullopt;
}

std::vector<std::string> QemuCommandLine::memory_backends() const {
    std::vector<std::string> backends;
    for (const auto& [option, key] :
         {std::pair("-machine", "memory-backend"), std::pair("-numa", "memdev")})
        for (const Option& found : options(option))
            if (const std::string id = value(found, key); !id.empty())
                backends.push_back(id);
    return backends;
}

bool QemuCommandLine::shares_memory() const {
    const auto backends = memory_backends();
    return !backends.empty() && std::all_of(backends.begin(), backends.end(), [&](const auto& id) {
        const auto backend = object(id);
        if (!backend || value(*backend, "") == "memory-backend-ram")
            return false;
        const std::string share = value(*backend, "share");
        // A memfd is shared unless it is said that it is not.
        return is_on(share) || (share.empty() && value(*backend, "") == "memory-backend-memfd");
    });
}

bool QemuCommandLine::has_huge_pages() const {
    const auto backends = memory_backends();
    return std::any_of(backends.begin(), backends.end(), [&](const auto& id) {
        const auto backend = object(id);
        return backend && (is_on(value(*backend, "hugetlb")) ||
                           value(*backend, "mem-path").find("hugepages") != std::string::npos);
    });
}

bool QemuCommandLine::wants_kvm() const {
    const auto is_kvm = [](const std::string& accelerators) {
        return accelerators.starts_with("kvm");
    };
    const auto among = [&](const std::string& option, const std::string& key) {
        const auto found = options(option);
        return std::any_of(found.begin(), found.end(),
                           [&](const Option& one) { return is_kvm(value(one, key)); });
    };
    // Debian's `kvm` and Fedora's `qemu-kvm` ask for it themselves.
    return enables_kvm_ || program_.ends_with("kvm") || among("-accel", "") ||
           among("-machine", "accel");
}

}  // namespace virtgpu::doctor
