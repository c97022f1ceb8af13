#include "worker/library/library_codes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace virtgpu::worker {
namespace {

using backend::GgmlLibrary;
using ::testing::HasSubstr;

const GgmlLibrary kNamed{.path = "/some/libggml.so", .reg = "some_reg"};

TEST(LibraryCodes, ZeroAndSixAreSuccess) {
    for (uint32_t code = 0; code <= 20; ++code)
        EXPECT_EQ(is_started(code), code == 0 || code == 6) << code;
}

TEST(LibraryCodes, SayTheSameWithUpstreamsOffsetAndWithout) {
    for (const uint32_t code : {1U, 2U, 3U, 4U, 5U}) {
        const auto reason = [](uint32_t number) {
            const std::string text = why_not_started(number, kNamed);
            return text.substr(text.find(": "));
        };
        EXPECT_EQ(reason(code), reason(code + 6));
        EXPECT_THAT(why_not_started(code + 6, kNamed),
                    HasSubstr("its code is " + std::to_string(code + 6)));
    }
}

TEST(LibraryCodes, AreToldInUpstreamsWordsWhereTheConfigurationIsMissing) {
    EXPECT_THAT(why_not_started(8, {}),
                HasSubstr(": cannot open the GGML library: env var "
                          "'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined; set it"));
    for (const uint32_t code : {10U, 12U})
        EXPECT_THAT(why_not_started(code, {.path = "/some/libggml.so"}),
                    HasSubstr(": cannot register the GGML library: env var "
                              "'APIR_LLAMA_CPP_GGML_LIBRARY_REG' not defined; /some/libggml.so has "
                              "no ggml_backend_init"));
}

TEST(LibraryCodes, NameWhatIsConfiguredAndWhatToDo) {
    EXPECT_THAT(
        why_not_started(8, kNamed),
        HasSubstr("cannot open the GGML library /some/libggml.so; "
                  "APIR_LLAMA_CPP_GGML_LIBRARY_PATH or the key ggml.library.path names it"));
    EXPECT_THAT(why_not_started(12, kNamed),
                HasSubstr("cannot register the backend of /some/libggml.so with 'some_reg'; "
                          "APIR_LLAMA_CPP_GGML_LIBRARY_REG or the key ggml.library.reg"));
    EXPECT_THAT(why_not_started(13, kNamed), HasSubstr("it had started before"));
    EXPECT_THAT(why_not_started(14, kNamed),
                HasSubstr("/some/libggml.so has no device; see that its driver is installed"));
    EXPECT_THAT(why_not_started(15, {}), HasSubstr("its GGML library does not start"));
    EXPECT_THAT(why_not_started(4711, kNamed), HasSubstr("upstream's library has no such code"));
}

}  // namespace
}  // namespace virtgpu::worker
