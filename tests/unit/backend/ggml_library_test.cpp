#include "backend/ggml_library.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "backend/catalogue.h"
#include "backend/library_folder.h"
#include "tests/unit/backend/recording_log.h"

namespace virtgpu::backend {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string cpu_library() {
    return *LibraryFolder::open(VIRTGPU_GGML_BACKEND_DIR)->best_file("cpu");
}

std::string complaint(const GgmlLibrary& library) {
    const auto loaded = load_ggml_library(library);
    return loaded ? "loaded" : loaded.error().message();
}

TEST(GgmlLibrary, IsRegisteredByItsDefaultFunction) {
    const auto loaded = load_ggml_library({.path = cpu_library()});
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_STREQ(ggml_backend_reg_name(*loaded), "CPU");
}

TEST(GgmlLibrary, IsRegisteredByANamedFunctionAfterItsInit) {
    const auto loaded = load_ggml_library(
        {.path = cpu_library(), .reg = "ggml_backend_cpu_reg", .init = "ggml_backend_cpu_init"});
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(ggml_backend_reg_by_name("CPU"), *loaded);
}

TEST(GgmlLibrary, OffersItsDevices) {
    RecordingLog log;
    const auto catalogue =
        Catalogue::load({.library = {.path = cpu_library(), .reg = "ggml_backend_cpu_reg"}}, log);
    ASSERT_TRUE(catalogue) << catalogue.error().message();
    ASSERT_EQ((*catalogue)->size(), 1U);
    EXPECT_EQ((*catalogue)->describe(0).name, "CPU");
}

TEST(GgmlLibrary, MissingPathIsToldInUpstreamsWords) {
    EXPECT_THAT(complaint({}), StartsWith("cannot open the GGML library: env var "
                                          "'APIR_LLAMA_CPP_GGML_LIBRARY_PATH' not defined"));
    EXPECT_THAT(complaint({.reg = "ggml_backend_cpu_reg"}), HasSubstr("ggml.library.path"));
}

TEST(GgmlLibrary, MissingRegistrationIsToldInUpstreamsWords) {
    // libggml-base is no backend, and has no such function.
    EXPECT_THAT(complaint({.path = "libggml-base.so.0"}),
                StartsWith("cannot register the GGML library: env var "
                           "'APIR_LLAMA_CPP_GGML_LIBRARY_REG' not defined"));
}

TEST(GgmlLibrary, WrongNamesAreToldWithTheirVariables) {
    EXPECT_THAT(
        complaint({.path = "/no/such.so"}),
        ::testing::AllOf(HasSubstr("/no/such.so"), HasSubstr("APIR_LLAMA_CPP_GGML_LIBRARY_PATH")));
    EXPECT_THAT(
        complaint({.path = cpu_library(), .reg = "no_such_reg"}),
        ::testing::AllOf(HasSubstr("'no_such_reg'"), HasSubstr("APIR_LLAMA_CPP_GGML_LIBRARY_REG")));
    EXPECT_THAT(complaint({.path = cpu_library(), .init = "no_such_init"}),
                ::testing::AllOf(HasSubstr("'no_such_init'"),
                                 HasSubstr("APIR_LLAMA_CPP_GGML_LIBRARY_INIT")));
}

}  // namespace
}  // namespace virtgpu::backend
