// The validator against ggml: what is valid is computed by ggml's CPU backend, in another process
// and with every buffer between guard pages. A runner that dies is a finding: a rule is missing.
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/fuzz/computable.h"
#include "tests/fuzz/graph_input.h"
#include "tests/fuzz/require.h"
#include "tests/fuzz/vocabulary.h"

extern char** environ;

namespace virtgpu::fuzz {
namespace {

// libFuzzer's clock interrupts whatever waits, every few seconds.
template <typename Call>
auto uninterrupted(const Call& call) {
    auto outcome = call();
    while (outcome < 0 && errno == EINTR)
        outcome = call();
    return outcome;
}

// A process that computes what it is sent, and answers with a byte.
class Runner {
 public:
    ~Runner() { stop(); }

    // False when it died of the input.
    bool compute(std::span<const std::byte> input) {
        if (process_ == 0)
            start();
        if (uninterrupted(
                [&] { return ::send(socket_, input.data(), input.size(), MSG_NOSIGNAL); }) < 0)
            return died();
        return hears() || died();
    }

 private:
    // $VIRTGPU_FUZZ_RUNNER is the command, its words apart by spaces.
    void start() {
        const char* const command = std::getenv("VIRTGPU_FUZZ_RUNNER");
        require(command != nullptr, "VIRTGPU_FUZZ_RUNNER is set");
        std::array<int, 2> ends{};
        require(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) == 0,
                "socket");
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], 3);
        std::string script = std::string("exec ") + command;
        std::array<char*, 4> arguments{const_cast<char*>("sh"), const_cast<char*>("-c"),
                                       script.data(), nullptr};
        require(
            ::posix_spawn(&process_, "/bin/sh", &actions, nullptr, arguments.data(), environ) == 0,
            "the runner starts");
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        socket_ = ends[0];
        require(hears(), "the runner is ready");
    }

    bool hears() const {
        char byte = 0;
        return uninterrupted([&] { return ::recv(socket_, &byte, 1, 0); }) == 1;
    }

    void stop() {
        if (process_ == 0)
            return;
        ::kill(process_, SIGKILL);
        uninterrupted([&] { return ::waitpid(process_, nullptr, 0); });
        ::close(socket_);
        process_ = 0;
    }

    bool died() {
        int status = 0;
        uninterrupted([&] { return ::waitpid(process_, &status, 0); });
        std::fprintf(stderr, "the runner ended with %s %d\n",
                     WIFSIGNALED(status) ? "signal" : "status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        ::close(socket_);
        process_ = 0;
        return false;
    }

    pid_t process_ = 0;
    int socket_ = -1;
};

void check(const GraphInput& input) {
    static const validate::Vocabulary vocabulary = make_vocabulary();
    static Runner runner;
    InputBuffers buffers(input);
    const auto graph =
        validate::check_graph(validate::TensorValidator(vocabulary, buffers), input.graph);
    if (!graph || !is_computable(*graph))
        return;
    GraphInput whole = input;
    whole.edit = {};
    require(runner.compute(encode_input(whole)), "what is valid can be computed");
}

}  // namespace
}  // namespace virtgpu::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (const auto input = virtgpu::fuzz::decode_input(std::as_bytes(std::span(data, size))))
        virtgpu::fuzz::check(*input);
    return 0;
}
