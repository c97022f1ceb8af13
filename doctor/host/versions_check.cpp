#include "doctor/host/versions_check.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kSubject = "programs";

}  // namespace

Findings VersionsCheck::examine() {
    const std::string& path = worker_.program;
    const auto answer = run_program({path, "--version"}, time_);
    if (!answer)
        return {problem(kSubject, wire::format("{}: {}", path, answer.error().message()),
                        "install the worker anew")};
    constexpr int kNotFound = 127;
    if (answer->status == kNotFound && answer->errors.empty())
        return {problem(kSubject, wire::format("there is no program {}", path),
                        "install the worker, or say with --worker where it is")};
    const auto lines = lines_of(answer->output);
    if (answer->status != 0 || lines.empty())
        return {problem(kSubject,
                        wire::format("the worker {} does not start: {}", path,
                                     answer->errors.empty() ? "no message" : answer->errors),
                        "install libggml0 and the worker of this version, or name another with "
                        "--worker")};
    const std::string expected = wire::format("ggml-virtgpu-worker {}", version_);
    if (lines.front() != expected)
        return {problem(kSubject,
                        wire::format("{} is '{}', not '{}'", path, lines.front(), expected),
                        "install both programs of one version")};
    return {ok(kSubject, wire::format("ggml-virtgpu-host {}, {}", version_, wire::join(lines)))};
}

}  // namespace virtgpu::doctor
