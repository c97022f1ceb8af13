// The library's messages inside somebody else's process.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>

#include "wire/log.h"

namespace virtgpu::backend {

// Lines in a file that is emptied first, with all there is to say; without one, what people need on
// the standard error.
class FileLog : public wire::Log {
 public:
    // A file that cannot be written is the same as none, and a message says so.
    explicit FileLog(const char* path) {
        if (path == nullptr || *path == '\0')
            return;
        file_.reset(std::fopen(path, "w"));
        if (!file_)
            error("cannot write to {}; messages go here instead", path);
    }

    bool enabled(wire::LogLevel level) const override {
        return file_ || level != wire::LogLevel::kDebug;
    }
    void write(wire::LogLevel level, std::string_view message) override {
        const std::lock_guard lock(mutex_);
        std::FILE* const target = file_ ? file_.get() : stderr;
        wire::print(target, "ggml-virtgpu-backend: {}: {}\n", name(level), message);
        // What cannot be written is lost.
        static_cast<void>(std::fflush(target));
    }

 private:
    struct Closer {
        void operator()(std::FILE* file) const { static_cast<void>(std::fclose(file)); }
    };

    static const char* name(wire::LogLevel level) {
        switch (level) {
            case wire::LogLevel::kDebug:
                return "debug";
            case wire::LogLevel::kInfo:
                return "info";
            case wire::LogLevel::kWarning:
                return "warning";
            case wire::LogLevel::kError:
                break;
        }
        return "error";
    }

    std::mutex mutex_;
    std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace virtgpu::backend
