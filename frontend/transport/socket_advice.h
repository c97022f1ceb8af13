#pragma once

#include <string>

namespace virtgpu::frontend {

// What the user can do when nobody can be reached at the socket `path`: a clause for a message.
std::string advice_about_socket(const std::string& path);

}  // namespace virtgpu::frontend
