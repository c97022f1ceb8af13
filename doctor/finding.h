// What a doctor says of one thing that it looked at.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace virtgpu::doctor {

enum class Verdict { kOk, kWarning, kProblem };

struct Finding {
    Verdict verdict = Verdict::kOk;
    std::string subject;  // "KVM"
    std::string text;     // what is the case
    std::string fix;      // what to do about it; empty when all is well
};

using Findings = std::vector<Finding>;

inline Finding ok(std::string subject, std::string text) {
    return {Verdict::kOk, std::move(subject), std::move(text), {}};
}
// It works, but worse than it could, or not for everybody.
inline Finding warning(std::string subject, std::string text, std::string fix) {
    return {Verdict::kWarning, std::move(subject), std::move(text), std::move(fix)};
}
// It does not work.
inline Finding problem(std::string subject, std::string text, std::string fix) {
    return {Verdict::kProblem, std::move(subject), std::move(text), std::move(fix)};
}

}  // namespace virtgpu::doctor
