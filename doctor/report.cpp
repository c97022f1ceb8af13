#include "doctor/report.h"

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "wire/text.h"

namespace virtgpu::doctor {

namespace {

const char* word_for(Verdict verdict) {
    switch (verdict) {
        case Verdict::kOk:
            return "ok";
        case Verdict::kWarning:
            return "warning";
        case Verdict::kProblem:
            return "problem";
    }
    return "";
}

// Lines after the first are put below it.
std::string indented(const std::string& text, size_t width) {
    std::string result;
    for (const char c : text) {
        result += c;
        if (c == '\n')
            result.append(width, ' ');
    }
    return result;
}

// What one check meets must not keep the others' findings from being told.
Findings examine(Check& check) {
    try {
        return check.examine();
    } catch (const std::exception& error) {
        return {problem("doctor", wire::format("a check broke off: {}", error.what()),
                        "this is a defect of the doctor; the other lines hold")};
    }
}

std::string counted(long number, const char* word) {
    return wire::format("{} {}{}", number, word, number == 1 ? "" : "s");
}

}  // namespace

Report::Report(const Checks& checks) {
    for (const auto& check : checks)
        for (Finding& finding : examine(*check))
            findings_.push_back(std::move(finding));
}

Verdict Report::verdict() const {
    Verdict worst = Verdict::kOk;
    for (const Finding& finding : findings_)
        worst = std::max(worst, finding.verdict);
    return worst;
}

std::string Report::text() const {
    size_t subject_width = 0;
    for (const Finding& finding : findings_)
        subject_width = std::max(subject_width, finding.subject.size());
    constexpr size_t kVerdictWidth = 7;
    const size_t indent = kVerdictWidth + subject_width + 4;
    std::string text;
    for (const Finding& finding : findings_) {
        text += wire::format("{:{}}  {:{}}  {}\n", word_for(finding.verdict), kVerdictWidth,
                             finding.subject, subject_width, indented(finding.text, indent));
        if (!finding.fix.empty())
            text += wire::format("{:{}}{}\n", "", indent, indented("→ " + finding.fix, indent));
    }
    const auto count = [&](Verdict verdict) {
        return std::count_if(findings_.begin(), findings_.end(),
                             [&](const Finding& finding) { return finding.verdict == verdict; });
    };
    return text + wire::format("\n{}, {}\n", counted(count(Verdict::kProblem), "problem"),
                               counted(count(Verdict::kWarning), "warning"));
}

std::string Report::json() const {
    nlohmann::json findings = nlohmann::json::array();
    for (const Finding& finding : findings_)
        findings.push_back({{"verdict", word_for(finding.verdict)},
                            {"subject", finding.subject},
                            {"text", finding.text},
                            {"fix", finding.fix}});
    const nlohmann::json report = {{"verdict", word_for(verdict())}, {"findings", findings}};
    // What programs print need not be UTF-8.
    return report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace virtgpu::doctor
