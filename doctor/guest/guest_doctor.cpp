#include "doctor/guest/guest_doctor.h"

#include "doctor/guest/device_node_check.h"
#include "doctor/guest/driver_check.h"
#include "doctor/guest/features_check.h"
#include "doctor/guest/ggml_check.h"
#include "doctor/guest/host_answers_check.h"

namespace virtgpu::doctor {

Checks guest_checks(const GuestDoctorOptions& options, const SystemRoot& root) {
    Checks checks;
    if (options.socket_path.empty()) {
        checks.push_back(std::make_unique<DriverCheck>(root));
        checks.push_back(std::make_unique<DeviceNodeCheck>(root));
        checks.push_back(std::make_unique<FeaturesCheck>());
    }
    checks.push_back(std::make_unique<HostAnswersCheck>(options.socket_path));
    for (const std::string& ggml : options.ggmls)
        checks.push_back(std::make_unique<GgmlCheck>(ggml));
    return checks;
}

}  // namespace virtgpu::doctor
