// All findings of a doctor, for people or for programs.
#pragma once

#include <string>

#include "doctor/check.h"

namespace virtgpu::doctor {

class Report {
 public:
    explicit Report(const Checks& checks);

    // One line each, with the fix below it; a line that counts them ends the report.
    std::string text() const;
    // {"verdict": …, "findings": [{"verdict": …, "subject": …, "text": …, "fix": …}, …]}
    std::string json() const;
    // The worst of all.
    Verdict verdict() const;
    // 1 when there is a problem, else 0.
    int exit_status() const { return verdict() == Verdict::kProblem ? 1 : 0; }

    const Findings& findings() const { return findings_; }

 private:
    Findings findings_;
};

}  // namespace virtgpu::doctor
