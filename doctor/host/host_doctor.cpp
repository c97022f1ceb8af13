#include "doctor/host/host_doctor.h"

#include "doctor/host/backends_check.h"
#include "doctor/host/gpu_nodes_check.h"
#include "doctor/host/huge_pages_check.h"
#include "doctor/host/kvm_check.h"
#include "doctor/host/limits_check.h"
#include "doctor/host/machines_check.h"
#include "doctor/host/qemu_check.h"
#include "doctor/host/sandbox_check.h"
#include "doctor/host/versions_check.h"

namespace virtgpu::doctor {

Checks host_checks(const HostDoctorOptions& options, const SystemRoot& root) {
    Checks checks;
    checks.push_back(std::make_unique<VersionsCheck>(options.version, options.worker));
    checks.push_back(std::make_unique<BackendsCheck>(options.worker));
    checks.push_back(std::make_unique<GpuNodesCheck>(root));
    checks.push_back(std::make_unique<SocketsCheck>(options.sockets));
    checks.push_back(std::make_unique<QemuCheck>(options.qemu));
    checks.push_back(std::make_unique<KvmCheck>(root));
    checks.push_back(std::make_unique<MachinesCheck>(options.qemu_command, root));
    checks.push_back(std::make_unique<HugePagesCheck>(root));
    checks.push_back(std::make_unique<LimitsCheck>(most_descriptors()));
    checks.push_back(std::make_unique<SandboxCheck>(find_sandbox_features(), root));
    return checks;
}

}  // namespace virtgpu::doctor
