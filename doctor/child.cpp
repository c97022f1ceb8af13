#include "doctor/child.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <thread>

#include "wire/sys/file_descriptor.h"

namespace virtgpu::doctor {

using wire::Fault;
using wire::FileDescriptor;
using wire::Result;

namespace {

constexpr int kNotStarted = 127;
constexpr int kKilledBySignal = 128;
constexpr std::chrono::milliseconds kStep(5);

[[noreturn]] void become_child(const std::function<int()>& body, int output, int errors) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    int status = kNotStarted;
    try {
        status = body();
    } catch (...) {
        status = kNotStarted;
    }
    std::fflush(nullptr);
    ::_exit(status);
}

std::string content(int file) {
    std::string text;
    const off_t size = ::lseek(file, 0, SEEK_END);
    if (size <= 0)
        return text;
    text.resize(static_cast<size_t>(size));
    const ssize_t read = ::pread(file, text.data(), text.size(), 0);
    text.resize(read < 0 ? 0 : static_cast<size_t>(read));
    return text;
}

Result<int> wait_for(pid_t child, std::chrono::seconds time) {
    const auto deadline = std::chrono::steady_clock::now() + time;
    int status = 0;
    while (true) {
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child)
            return WIFSIGNALED(status) ? kKilledBySignal + WTERMSIG(status) : WEXITSTATUS(status);
        if (ended < 0 && errno != EINTR)
            return wire::system_failure(errno, "waiting for a child");
        if (std::chrono::steady_clock::now() > deadline) {
            ::kill(child, SIGKILL);
            ::waitpid(child, &status, 0);
            return wire::fail(Fault::kRefused, "no end within {} s", time.count());
        }
        std::this_thread::sleep_for(kStep);
    }
}

}  // namespace

Result<ChildEnd> in_child(const std::function<int()>& body, std::chrono::seconds time) {
    const FileDescriptor output(::memfd_create("output", MFD_CLOEXEC));
    const FileDescriptor errors(::memfd_create("errors", MFD_CLOEXEC));
    if (!output || !errors)
        return wire::system_failure(errno, "making a place for a program's output");
    std::fflush(nullptr);
    const pid_t child = ::fork();
    if (child < 0)
        return wire::system_failure(errno, "starting a child");
    if (child == 0)
        become_child(body, output.number(), errors.number());
    const int status = TRY(wait_for(child, time));
    return ChildEnd{status, content(output.number()), content(errors.number())};
}

Result<ChildEnd> run_program(const std::vector<std::string>& command, std::chrono::seconds time) {
    return in_child(
        [&] {
            std::vector<char*> words;
            for (const std::string& word : command)
                words.push_back(const_cast<char*>(word.c_str()));
            words.push_back(nullptr);
            ::execvp(words.front(), words.data());
            return kNotStarted;
        },
        time);
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        if (!line.empty())
            lines.push_back(line);
    return lines;
}

}  // namespace virtgpu::doctor
