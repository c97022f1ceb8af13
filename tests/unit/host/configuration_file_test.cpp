#include "host/configuration_file.h"

#include <gmock/gmock.h>

#include "tests/unit/host/configuration_text.h"

namespace virtgpu::host {
namespace {

using test::ConfigurationText;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string complaint(const std::string& text) {
    const ConfigurationText file(text);
    const auto read = read_configuration(file.path());
    EXPECT_FALSE(read);
    return read ? "" : read.error().message();
}

TEST(ConfigurationFile, KeysMayBeWrittenInTablesOrWithDots) {
    const ConfigurationText file(
        "ggml.library.path = '/a'\n[apir.load_library]\npath = \"/b\"  # a comment\n");
    const auto read = read_configuration(file.path());
    ASSERT_TRUE(read);
    EXPECT_THAT(read->at("ggml.library.path").words, ElementsAre("/a"));
    EXPECT_THAT(read->at("apir.load_library.path").words, ElementsAre("/b"));
    EXPECT_EQ(read->at("apir.load_library.path").line, 3);
}

TEST(ConfigurationFile, AllKindsOfValues) {
    const ConfigurationText file("a = 'text'\nb = 0x10\nc = true\nd = ['x', 'y']\ne = []");
    const auto read = read_configuration(file.path());
    ASSERT_TRUE(read);
    EXPECT_THAT(read->at("a").words, ElementsAre("text"));
    EXPECT_THAT(read->at("b").words, ElementsAre("16"));
    EXPECT_THAT(read->at("c").words, ElementsAre("true"));
    EXPECT_THAT(read->at("d").words, ElementsAre("x", "y"));
    EXPECT_THAT(read->at("e").words, ElementsAre());
}

TEST(ConfigurationFile, FaultsAreToldWithTheirLine) {
    EXPECT_THAT(complaint("a = 1\na = 2\n"), HasSubstr(":2: "));
    EXPECT_THAT(complaint("a = '/unfinished\n"), HasSubstr(":1: "));
    EXPECT_THAT(complaint("\na = 1.5\n"), HasSubstr(":2: a takes"));
    EXPECT_THAT(complaint("a = [['nested']]"), HasSubstr(":1: a takes"));
    EXPECT_THAT(complaint("\xff"), HasSubstr(":1: "));
}

TEST(ConfigurationFile, AFileThatIsNotThereIsNamed) {
    const auto read = read_configuration("/nowhere/at/all.toml");
    ASSERT_FALSE(read);
    EXPECT_THAT(read.error().message(), HasSubstr("/nowhere/at/all.toml"));
}

TEST(ConfigurationFile, AFolderIsNoFile) {
    EXPECT_FALSE(read_configuration("/"));
}

}  // namespace
}  // namespace virtgpu::host
