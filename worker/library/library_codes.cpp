#include "worker/library/library_codes.h"

#include "backend/apir/library_codes.h"

namespace virtgpu::worker {

namespace {

using backend::GgmlLibrary;
using backend::later;
using backend::LibraryCode;

LibraryCode without_offset(uint32_t code) {
    return static_cast<LibraryCode>(code > backend::kLaterCodes ? code - backend::kLaterCodes
                                                                : code);
}

std::string name_of(const GgmlLibrary& ggml) {
    return ggml.path.empty() ? "its GGML library" : ggml.path;
}

std::string cannot_open(const GgmlLibrary& ggml) {
    if (ggml.path.empty())
        return backend::missing_library_path().value().message();
    return wire::format(
        "it cannot open the GGML library {}; APIR_LLAMA_CPP_GGML_LIBRARY_PATH or the key "
        "ggml.library.path names it",
        ggml.path);
}

std::string cannot_register(const GgmlLibrary& ggml) {
    if (ggml.reg.empty())
        return backend::missing_registration(name_of(ggml)).value().message();
    return wire::format(
        "it cannot register the backend of {} with '{}'; APIR_LLAMA_CPP_GGML_LIBRARY_REG or the "
        "key ggml.library.reg names the function",
        name_of(ggml), ggml.reg);
}

std::string reason(uint32_t code, const GgmlLibrary& ggml) {
    switch (without_offset(code)) {
        case LibraryCode::kCannotOpenBackendLibrary:
            return "it cannot open a library that it needs; install what belongs to it";
        case LibraryCode::kCannotOpenGgmlLibrary:
            return cannot_open(ggml);
        case LibraryCode::kMissingBackendSymbols:
            return "it lacks functions of its own; install it again, all of one version";
        case LibraryCode::kMissingGgmlSymbols:
        case LibraryCode::kRegistrationFailed:
            return cannot_register(ggml);
        case LibraryCode::kBackendFailed:
            return "its backend failed; see its own messages";
        case LibraryCode::kAlreadyInitialized:
            return "it says that it had started before; it must not start by itself";
        case LibraryCode::kNoDevice:
            return wire::format(
                "{} has no device; see that its driver is installed and that this user may use it",
                name_of(ggml));
        case LibraryCode::kStartFailed:
            return wire::format("{} does not start on its device; see its own messages",
                                name_of(ggml));
        case LibraryCode::kSuccess:
            break;
    }
    return "upstream's library has no such code; see its own messages";
}

}  // namespace

bool is_started(uint32_t code) {
    return code == static_cast<uint32_t>(LibraryCode::kSuccess) ||
           code == later(LibraryCode::kSuccess);
}

std::string why_not_started(uint32_t code, const GgmlLibrary& ggml) {
    return wire::format("the APIR backend library does not start, its code is {}: {}", code,
                        reason(code, ggml));
}

}  // namespace virtgpu::worker
