// usage: listed_calls device|processor|remote|graphics
// Prints the system calls of a profile, those that fail with an error number as well, a name a
// line.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "sandbox/system_call_lists.h"

int main(int argc, char** argv) {
    using virtgpu::sandbox::Profile;
    const std::map<std::string, Profile> profiles{{"device", Profile::kDevice},
                                                  {"processor", Profile::kProcessor},
                                                  {"remote", Profile::kRemote},
                                                  {"graphics", Profile::kGraphics}};
    if (argc != 2 || !profiles.contains(argv[1]))
        return EXIT_FAILURE;
    for (const auto name : virtgpu::sandbox::allowed_calls(profiles.at(argv[1])))
        std::printf("%.*s\n", static_cast<int>(name.size()), name.data());
    for (const auto& call : virtgpu::sandbox::refused_calls(profiles.at(argv[1])))
        std::printf("%.*s\n", static_cast<int>(call.name.size()), call.name.data());
    return EXIT_SUCCESS;
}
