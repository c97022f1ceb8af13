#include "doctor/host/kvm_check.h"

#include <unistd.h>

namespace virtgpu::doctor {

Findings KvmCheck::examine() {
    constexpr const char* kNode = "/dev/kvm";
    if (!root_.exists(kNode))
        return {warning("KVM", "there is no /dev/kvm: VMs are emulated, and slow",
                        "turn virtualisation on in the firmware, and load kvm_intel or kvm_amd")};
    if (!root_.may(kNode, R_OK | W_OK))
        return {warning("KVM", "this user may not use /dev/kvm: its VMs are emulated, and slow",
                        "usermod -aG kvm USER, then log in again")};
    return {ok("KVM", "/dev/kvm can be used")};
}

}  // namespace virtgpu::doctor
