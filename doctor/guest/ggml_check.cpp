#include "doctor/guest/ggml_check.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "doctor/child.h"
#include "doctor/guest/loaded_ggml.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "ggml";
constexpr int kNoGgml = 3;

// In the child: prints what ggml answers.
int print_answer(const std::string& library) {
    const auto answer = ask_ggml(library);
    if (!answer) {
        wire::print(stderr, "{}\n", answer.error().message());
        return kNoGgml;
    }
    const nlohmann::json printed = {
        {"library", answer->library},   {"version", answer->version},
        {"backends", answer->backends}, {"devices", answer->devices},
        {"plugin", answer->plugin},     {"round_trip", answer->round_trip}};
    // Behind what backends print, on a line of its own.
    wire::print(stdout, "\n{}\n",
                printed.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    return 0;
}

GgmlAnswer parse_answer(const std::string& output) {
    const auto lines = lines_of(output);
    const auto printed = nlohmann::json::parse(lines.empty() ? "" : lines.back(), nullptr, false);
    if (!printed.is_object())
        return {};
    return {printed.value("library", ""),
            printed.value("version", ""),
            printed.value("backends", std::vector<std::string>()),
            printed.value("devices", std::vector<std::string>()),
            printed.value("plugin", ""),
            printed.value("round_trip", 0.0)};
}

// Our plug-in's own messages.
std::string messages_in(const std::string& errors) {
    std::vector<std::string> messages;
    for (const std::string& line : lines_of(errors))
        for (const std::string_view prefix : {"ggml-virtgpu: warning: ", "ggml-virtgpu: error: "})
            if (line.starts_with(prefix))
                messages.push_back(line.substr(prefix.size()));
    return wire::join(messages, "\n");
}

std::string backend_folder(const std::string& library) {
    namespace fs = std::filesystem;
    const fs::path folder = fs::path(library).parent_path();
    std::error_code error;
    for (fs::directory_iterator entry(folder / "ggml", error), end; !error && entry != end;
         entry.increment(error))
        if (entry->path().filename().string().starts_with("backends"))
            return entry->path().string();
    return folder.string();
}

std::string name_of(const GgmlAnswer& answer) {
    return wire::format("ggml {} ({})", answer.version, answer.library);
}

// Why the file does not load; empty when it does.
std::string load_error(const std::string& file) {
    const auto tried = in_child([&] {
        if (::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr)
            return 0;
        wire::print(stderr, "{}\n", ::dlerror());
        return 1;
    });
    return tried && tried->status != 0 ? wire::join(lines_of(tried->errors), "\n") : "";
}

// What ggml says when it refuses a file that loads; empty when it takes it.
std::string refusal(const std::string& library, const std::string& file) {
    const auto tried = in_child([&] {
        void* const ggml = ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL);
        auto* const load = ggml == nullptr ? nullptr
                                           : reinterpret_cast<decltype(&::ggml_backend_load)>(
                                                 ::dlsym(ggml, "ggml_backend_load"));
        return load == nullptr || load(file.c_str()) != nullptr ? 0 : 1;
    });
    if (!tried || tried->status != 1)
        return {};
    const std::string said = wire::join(lines_of(tried->errors), "\n");
    return said.empty() ? "it does not say why" : said;
}

Finding about_missing_plugin(const GgmlAnswer& answer, const std::string& said) {
    const std::string ggml = name_of(answer);
    const std::string folder = backend_folder(answer.library);
    const char* const named = std::getenv("GGML_BACKEND_PATH");
    std::vector<std::string> files{folder + "/libggml-virtgpu.so"};
    if (named != nullptr && *named != '\0')
        files.insert(files.begin(), named);
    for (const std::string& file : files) {
        std::error_code absence;
        if (std::filesystem::status(file, absence).type() == std::filesystem::file_type::not_found)
            continue;
        const std::string error = load_error(file);
        if (!error.empty())
            return problem(kSubject, wire::format("{} does not load {}: {}", ggml, file, error),
                           "install what it needs, or the plug-in for this system");
        const std::string reason = said.empty() ? refusal(answer.library, file) : said;
        if (!reason.empty())
            return problem(kSubject,
                           wire::format("{} refuses the plug-in: {}: {}", ggml, file, reason),
                           "install ggml 0.23 or newer, and the plug-in that is for it");
    }
    return problem(
        kSubject, wire::format("{} does not find libggml-virtgpu.so", ggml),
        wire::format("install libggml0-backend-virtgpu, put the file into {}, or name it "
                     "with GGML_BACKEND_PATH",
                     folder));
}

Findings about(const GgmlAnswer& answer, const std::string& said) {
    const std::string ggml = name_of(answer);
    if (std::find(answer.backends.begin(), answer.backends.end(), "virtgpu") ==
        answer.backends.end())
        return {about_missing_plugin(answer, said)};
    Findings findings{ok(kSubject, wire::format("{} loads {}", ggml, answer.plugin))};
    if (answer.devices.empty()) {
        findings.push_back(problem("devices", said.empty() ? "the plug-in finds no host" : said,
                                   "the lines above say which part is missing"));
        return findings;
    }
    for (const std::string& device : answer.devices)
        findings.push_back(ok("devices", device));
    findings.push_back(ok(
        "round trip", wire::format("{:.1f} µs to the compute worker, awake", answer.round_trip)));
    return findings;
}

}  // namespace

Findings GgmlCheck::examine() {
    const auto end = in_child([this] { return print_answer(library_); }, time_);
    if (!end)
        return {
            problem(kSubject, wire::format("{}: {}", library_, end.error().message()),
                    "a backend hangs when it starts; GGML_VIRTGPU_DEBUG=1 shows what ours does")};
    if (end->status == kNoGgml)
        return {problem(kSubject, wire::format("no ggml: {}", wire::join(lines_of(end->errors))),
                        "install libggml0, or name yours with --ggml PATH")};
    if (end->status != 0)
        return {problem(kSubject,
                        wire::format("{} dies when it loads its backends (status {}): {}", library_,
                                     end->status, end->errors),
                        "remove the backend that kills it from ggml's folder")};
    return about(parse_answer(end->output), messages_in(end->errors));
}

}  // namespace virtgpu::doctor
