#include "wire/result.h"

#include <system_error>

namespace virtgpu::wire {

tl::unexpected<Error> system_failure(int error_number, std::string_view what) {
    return fail(Fault::kSystem, "{}: {}", what,
                std::error_code(error_number, std::generic_category()).message());
}

}  // namespace virtgpu::wire
