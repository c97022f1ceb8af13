// A configuration file with a text, gone with this object.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

namespace virtgpu::host::test {

class ConfigurationText {
 public:
    explicit ConfigurationText(const std::string& text) {
        ::close(::mkstemp(path_.data()));
        std::ofstream(path_) << text;
    }
    ~ConfigurationText() { ::unlink(path_.c_str()); }
    ConfigurationText(const ConfigurationText&) = delete;
    ConfigurationText& operator=(const ConfigurationText&) = delete;

    const std::string& path() const { return path_; }

 private:
    std::string path_ = ::testing::TempDir() + "configuration-XXXXXX";
};

}  // namespace virtgpu::host::test
