#include "backend/catalogue.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "backend/library_folder.h"
#include "tests/unit/backend/recording_log.h"

namespace virtgpu::backend {
namespace {

class CatalogueTest : public ::testing::Test {
 protected:
    std::string error_of(CatalogueOptions options) {
        const auto catalogue = Catalogue::load(options, log_);
        return catalogue ? "loaded" : catalogue.error().message();
    }

    RecordingLog log_;
};

TEST_F(CatalogueTest, LoadsANamedBackend) {
    const auto catalogue = Catalogue::load({.backends = {"cpu"}}, log_);
    ASSERT_TRUE(catalogue) << catalogue.error().message();
    ASSERT_EQ((*catalogue)->size(), 1U);
    EXPECT_EQ((*catalogue)->describe(0).name, "CPU");
    EXPECT_FALSE((*catalogue)->device(1));
}

TEST_F(CatalogueTest, KnowsGgmlsNames) {
    const auto catalogue = Catalogue::load({.backends = {"cpu"}}, log_);
    const auto& vocabulary = *(*catalogue)->vocabulary();
    ASSERT_EQ(vocabulary.ops.size(), static_cast<size_t>(GGML_OP_COUNT));
    EXPECT_EQ(vocabulary.ops[GGML_OP_MUL_MAT].name, "MUL_MAT");
    EXPECT_EQ(vocabulary.ops[GGML_OP_CUSTOM].kind, validate::OpKind::kForbidden);
    EXPECT_EQ(vocabulary.types[GGML_TYPE_Q8_0].block_size, 32U);
    EXPECT_EQ(vocabulary.types[GGML_TYPE_Q8_0].type_size, 34U);
    EXPECT_EQ(vocabulary.types[4].block_size, 0U) << "Q4_2 was removed from ggml";
}

TEST_F(CatalogueTest, ErrorsSayWhatToDo) {
    EXPECT_NE(error_of({.backends = {"nope"}}).find("has: "), std::string::npos);
    EXPECT_NE(error_of({.backends = {"nope"}}).find("libggml0-backend-nope"), std::string::npos);
    EXPECT_NE(error_of({.backends = {"/no/such.so"}}).find("no file '/no/such.so'"),
              std::string::npos);
    EXPECT_NE(error_of({.backends = {"/etc/passwd"}}).find("is no ggml backend"),
              std::string::npos);
    EXPECT_NE(error_of({.backends = {"cpu"}, .devices = {"CUDA7"}}).find("There are: CPU"),
              std::string::npos);
    EXPECT_NE(error_of({.backends = {"nope"}, .folder = "/no/such/folder"})
                  .find("GGML_VIRTGPU_BACKEND_DIR"),
              std::string::npos);
}

class FolderTest : public ::testing::Test {
 protected:
    void SetUp() override {
        std::string pattern = ::testing::TempDir() + "virtgpu-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        path_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(path_); }

    void add(const std::string& file) { std::ofstream(path_ + "/" + file) << "no library"; }

    std::string path_;
};

TEST_F(FolderTest, NamesBackendsTheCpuLast) {
    for (const char* file : {"libggml-cpu-x64.so", "libggml-cpu-haswell.so", "libggml-vulkan.so",
                             "libggml-cuda.so", "libother.so", "libggml-base.so", "libggml.so"})
        add(file);
    EXPECT_EQ(LibraryFolder::open(path_)->names(),
              (std::vector<std::string>{"cuda", "vulkan", "cpu"}));
}

TEST_F(FolderTest, NeverFindsOurOwnFrontend) {
    add("libggml-virtgpu.so");
    add("libggml-virtgpu-backend.so");
    EXPECT_TRUE(LibraryFolder::open(path_)->names().empty());
    EXPECT_FALSE(LibraryFolder::open(path_)->best_file("virtgpu"));
}

TEST_F(FolderTest, SaysWhenALibraryDoesNotLoad) {
    add("libggml-broken.so");
    const auto best = LibraryFolder::open(path_)->best_file("broken");
    ASSERT_FALSE(best);
    EXPECT_NE(best.error().message().find("does not run on this machine"), std::string::npos);
}

}  // namespace
}  // namespace virtgpu::backend
