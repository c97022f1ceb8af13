// A folder that stands for a machine's file system, for what cannot be provoked on the real one.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "doctor/check.h"
#include "doctor/system_root.h"

namespace virtgpu::doctor::test {

class MadeUpRoot {
 public:
    MadeUpRoot() {
        std::string pattern = testing::TempDir() + "virtgpu-doctor-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        root_ = SystemRoot(folder_);
    }
    ~MadeUpRoot() { std::filesystem::remove_all(folder_); }
    MadeUpRoot(const MadeUpRoot&) = delete;
    MadeUpRoot& operator=(const MadeUpRoot&) = delete;

    const SystemRoot& operator*() const { return root_; }
    std::string path(const std::string& inside) const { return root_.real(inside).string(); }

    void file(const std::string& path, const std::string& content = "") const {
        std::filesystem::create_directories(root_.real(path).parent_path());
        std::ofstream(root_.real(path)) << content;
    }
    // A program of the shell; returns its real path.
    std::string script(const std::string& path, const std::string& content) const {
        file(path, "#!/bin/sh\n" + content);
        std::filesystem::permissions(root_.real(path), std::filesystem::perms::owner_all);
        return root_.real(path).string();
    }
    void link(const std::string& path, const std::string& target) const {
        std::filesystem::create_directories(root_.real(path).parent_path());
        std::filesystem::create_symlink(target, root_.real(path));
    }

 private:
    std::filesystem::path folder_;
    SystemRoot root_;
};

inline bool says(const std::string& text, const std::string& words) {
    return text.find(words) != std::string::npos;
}

// Whether there is a finding of that verdict whose text has `words`, and whose fix has `fix`.
inline testing::AssertionResult has(const Findings& findings, Verdict verdict,
                                    const std::string& words, const std::string& fix = "") {
    for (const Finding& finding : findings)
        if (finding.verdict == verdict && says(finding.text, words) && says(finding.fix, fix))
            return testing::AssertionSuccess();
    auto failure = testing::AssertionFailure() << "none says '" << words << "', '" << fix << "':";
    for (const Finding& finding : findings)
        failure << "\n  " << static_cast<int>(finding.verdict) << " " << finding.text << " -> "
                << finding.fix;
    return failure;
}

}  // namespace virtgpu::doctor::test
