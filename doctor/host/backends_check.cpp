#include "doctor/host/backends_check.h"

#include <algorithm>

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "ggml backends";
constexpr const char* kInstall =
    "install a backend of ggml (libggml0 has the CPU's, libggml0-backend-vulkan and others the "
    "GPUs'), or name its folder with GGML_VIRTGPU_BACKEND_DIR";
constexpr const char* kLeaveOut =
    "a backend kills the worker when it starts: leave it out with --backend";
constexpr const char* kTryAgain =
    "mend what it says; `ggml-virtgpu-host devices` with the same options tries it again";
constexpr const char* kLibrary = "APIR library";
constexpr const char* kLeaveAway =
    "without --apir-library and its variables this host computes by itself";

// The worker ends a start that takes too long by itself, and says so; its end may take longer.
std::chrono::seconds time_of_start(uint32_t graph_seconds) {
    const uint32_t limit = graph_seconds == 0 ? 600 : std::max(60U, graph_seconds);
    return std::chrono::seconds(limit + 15);
}

// The worker's own words for a backend that is not there.
bool lacks_backend(const std::string& said) {
    return said.find("no ggml backend") != std::string::npos ||
           said.find("there is no file") != std::string::npos ||
           said.find("read the folder") != std::string::npos;
}

Finding about_failure(const ChildEnd& end) {
    constexpr int kSignal = 128;
    if (end.status > kSignal)
        return problem(kSubject,
                       wire::format("the worker was killed by signal {}\n{}", end.status - kSignal,
                                    wire::join(lines_of(end.errors), "\n")),
                       kLeaveOut);
    const std::string said = wire::join(lines_of(end.errors), "\n");
    return problem(
        kSubject, said.empty() ? wire::format("the worker ended with status {}", end.status) : said,
        lacks_backend(said) ? kInstall : kTryAgain);
}

}  // namespace

Findings BackendsCheck::examine() {
    return worker_.apir_library.empty() ? examine_backends() : examine_library();
}

Findings BackendsCheck::examine_library() const {
    auto command = apir::worker_command(worker_);
    command.emplace_back("--check");
    const auto answer = run_program(command, time_of_start(worker_.graph_seconds));
    if (!answer)
        return {problem(kLibrary, answer.error().message(), kLeaveAway)};
    if (answer->status != 0) {
        const auto lines = lines_of(answer->errors);
        const auto reason = lines.empty()
                                ? wire::format("its start ended with status {}", answer->status)
                                : wire::join(lines, "\n");
        return {problem(kLibrary, reason, kLeaveAway)};
    }
    return {ok(kLibrary, wire::format("{} starts", worker_.apir_library))};
}

Findings BackendsCheck::examine_backends() const {
    auto command = apir::worker_command(worker_);
    command.emplace_back("--list-devices");
    const auto answer = run_program(command, time_);
    if (!answer)
        return {problem(kSubject, answer.error().message(),
                        "a backend hangs when it starts: leave it out with --backend")};
    if (answer->status != 0)
        return {about_failure(*answer)};
    auto rows = lines_of(answer->output);
    if (!rows.empty())
        rows.erase(rows.begin());  // the heading
    if (rows.empty())
        return {problem(kSubject, "no device", kInstall)};
    Findings findings;
    for (const std::string& line : lines_of(answer->errors))
        findings.push_back(warning(kSubject, line, "leave the backend out with --backend"));
    for (const std::string& row : rows)
        findings.push_back(ok(kSubject, row));
    return findings;
}

}  // namespace virtgpu::doctor
