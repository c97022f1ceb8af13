#include "worker/library/library_codes.h"

#include "backend/apir/library_codes.h"

namespace virtgpu::worker {

namespace {

using backend::GgmlLibrary;
using backend::LibraryCode;
using backend::number_of;
using backend::StartCode;

std::string name_of(const GgmlLibrary& ggml) {
    return ggml.path.empty() ? "its GGML library" : ggml.path;
}

std::string missing_variable(const GgmlLibrary& ggml) {
    if (ggml.path.empty())
        return backend::missing_library_path().value().message();
    return "it lacks a variable: set APIR_LLAMA_CPP_GGML_LIBRARY_PATH, or the key "
           "ggml.library.path, and APIR_LLAMA_CPP_GGML_LIBRARY_REG, or the key ggml.library.reg";
}

std::string cannot_open(const GgmlLibrary& ggml) {
    return wire::format(
        "it cannot open the GGML library {}; APIR_LLAMA_CPP_GGML_LIBRARY_PATH or the key "
        "ggml.library.path names it",
        ggml.path.empty() ? "without a name" : ggml.path);
}

std::string cannot_register(const GgmlLibrary& ggml) {
    if (ggml.reg.empty())
        return backend::missing_registration(name_of(ggml)).value().message();
    return wire::format(
        "it cannot register the backend of {} with '{}'; APIR_LLAMA_CPP_GGML_LIBRARY_REG or the "
        "key ggml.library.reg names the function",
        name_of(ggml), ggml.reg);
}

std::string of_library(LibraryCode code, const GgmlLibrary& ggml) {
    switch (code) {
        case LibraryCode::kHypercallInitializationError:
            return "it cannot initialize itself; see its own messages";
        case LibraryCode::kAlreadyLoaded:
            return "it says that it was loaded before; it must not start by itself";
        case LibraryCode::kEnvVarMissing:
            return missing_variable(ggml);
        case LibraryCode::kCannotOpen:
            return cannot_open(ggml);
        case LibraryCode::kSymbolMissing:
            return cannot_register(ggml);
        case LibraryCode::kSuccess:
            break;
    }
    return {};
}

std::string of_start(StartCode code, const GgmlLibrary& ggml) {
    switch (code) {
        case StartCode::kCannotOpenBackendLibrary:
            return "it cannot open a library that it needs; install what belongs to it";
        case StartCode::kCannotOpenGgmlLibrary:
            return cannot_open(ggml);
        case StartCode::kMissingBackendSymbols:
            return "it lacks functions of its own; install it again, all of one version";
        case StartCode::kMissingGgmlSymbols:
            return cannot_register(ggml);
        case StartCode::kBackendFailed:
            return "its backend failed; see its own messages";
        case StartCode::kBackendRegFailed:
            return wire::format(
                "the registration function of {} returned nothing; see that its driver is "
                "installed and that this user may use it",
                name_of(ggml));
        case StartCode::kAlreadyInited:
            return "it says that it had started before; it must not start by itself";
        case StartCode::kNoDevice:
            return wire::format(
                "{} has no device; see that its driver is installed and that this user may use it",
                name_of(ggml));
        case StartCode::kBackendInitFailed:
            return wire::format("{} does not start on its device; see its own messages",
                                name_of(ggml));
        case StartCode::kSuccess:
            break;
    }
    return {};
}

std::string reason(uint32_t code, const GgmlLibrary& ggml) {
    const std::string known =
        code < backend::kStartCodes
            ? of_library(static_cast<LibraryCode>(code), ggml)
            : of_start(static_cast<StartCode>(code - backend::kStartCodes), ggml);
    return known.empty() ? "upstream's library has no such code; see its own messages" : known;
}

}  // namespace

bool is_started(uint32_t code) {
    return code == number_of(LibraryCode::kSuccess) || code == number_of(StartCode::kSuccess);
}

std::string why_not_started(uint32_t code, const GgmlLibrary& ggml) {
    return wire::format("the APIR backend library does not start, its code is {}: {}", code,
                        reason(code, ggml));
}

}  // namespace virtgpu::worker
