#include "worker/library/library_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace virtgpu::worker {
namespace {

using backend::GgmlLibrary;
using ::testing::HasSubstr;

const GgmlLibrary kNamed{.path = "PATH", .reg = "NAME"};
const GgmlLibrary kPathAlone{.path = "PATH"};
const GgmlLibrary kNothing;

struct Row {
    uint32_t code;
    const char* name;  // upstream's
    const GgmlLibrary& configured;
    const char* words;
};

// docs/interop.md has the same rows: tests/tools/test_interop_page.py compares them.
const Row kRows[] = {
    {1, "HYPERCALL_INITIALIZATION_ERROR", kNamed, "it cannot initialize itself"},
    {2, "ALREADY_LOADED", kNamed, "it says that it was loaded before"},
    {3, "ENV_VAR_MISSING", kNothing,
     "cannot open the GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined"},
    {3, "ENV_VAR_MISSING", kNamed,
     "it lacks a variable: set APIR_LLAMA_CPP_GGML_LIBRARY_PATH, or the key ggml.library.path, "
     "and APIR_LLAMA_CPP_GGML_LIBRARY_REG, or the key ggml.library.reg"},
    {4, "CANNOT_OPEN", kNamed, "it cannot open the GGML library PATH"},
    {5, "SYMBOL_MISSING", kPathAlone,
     "cannot register the GGML library: env var 'APIR_LLAMA_CPP_GGML_LIBRARY_REG' not defined"},
    {5, "SYMBOL_MISSING", kNamed, "it cannot register the backend of PATH with 'NAME'"},
    {7, "CANNOT_OPEN_BACKEND_LIBRARY", kNamed, "it cannot open a library that it needs"},
    {8, "CANNOT_OPEN_GGML_LIBRARY", kNamed, "it cannot open the GGML library PATH"},
    {9, "MISSING_BACKEND_SYMBOLS", kNamed, "it lacks functions of its own"},
    {10, "MISSING_GGML_SYMBOLS", kNamed, "it cannot register the backend of PATH with 'NAME'"},
    {11, "BACKEND_FAILED", kNamed, "its backend failed"},
    {12, "BACKEND_REG_FAILED", kNamed, "the registration function of PATH returned nothing"},
    {13, "ALREADY_INITED", kNamed, "it says that it had started before"},
    {14, "NO_DEVICE", kNamed, "PATH has no device"},
    {15, "BACKEND_INIT_FAILED", kNamed, "PATH does not start on its device"},
};

TEST(LibraryCodes, ZeroAndSixAreSuccess) {
    for (uint32_t code = 0; code <= 20; ++code)
        EXPECT_EQ(is_started(code), code == 0 || code == 6) << code;
}

TEST(LibraryCodes, EachHasItsWords) {
    for (const Row& row : kRows)
        EXPECT_THAT(why_not_started(row.code, row.configured),
                    HasSubstr("its code is " + std::to_string(row.code) + ": " + row.words))
            << row.name;
}

TEST(LibraryCodes, SayWhatToDo) {
    EXPECT_THAT(why_not_started(3, kNothing), HasSubstr("not defined; set it"));
    EXPECT_THAT(
        why_not_started(4, kNamed),
        HasSubstr("APIR_LLAMA_CPP_GGML_LIBRARY_PATH or the key ggml.library.path names it"));
    EXPECT_THAT(why_not_started(5, kPathAlone), HasSubstr("PATH has no ggml_backend_init"));
    EXPECT_THAT(why_not_started(5, kNamed),
                HasSubstr("APIR_LLAMA_CPP_GGML_LIBRARY_REG or the key ggml.library.reg names the"));
    for (const uint32_t code : {12U, 14U})
        EXPECT_THAT(why_not_started(code, kNamed), HasSubstr("see that its driver is installed"));
}

TEST(LibraryCodes, AreSaidWithoutNamesToo) {
    for (const Row& row : kRows)
        EXPECT_THAT(why_not_started(row.code, kNothing),
                    ::testing::Not(HasSubstr("has no such code")));
    EXPECT_THAT(why_not_started(15, kNothing), HasSubstr("its GGML library does not start"));
}

TEST(LibraryCodes, UnknownOnesAreSaidToBe) {
    for (const uint32_t code : {16U, 4711U, UINT32_MAX})
        EXPECT_THAT(why_not_started(code, kNamed),
                    HasSubstr("upstream's library has no such code"));
}

}  // namespace
}  // namespace virtgpu::worker
