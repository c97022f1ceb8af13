// Preloaded into QEMU 7.2, lets its vhost-user devices run without KVM.
//
// That version refuses them unless KVM is used ("vhost initialization failed: requires kvm"), which
// later ones found to be needless and dropped. Tests and the demo have to run where there is no KVM
// as well. So the two comparisons in the one function that asks are made to come out as with KVM.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// QEMU's own, exported for its modules. Not there in another program, or another version.
extern "C" {
[[gnu::weak]] extern bool kvm_allowed;
[[gnu::weak]] extern bool kvm_eventfds_allowed;
[[gnu::weak]] int vhost_user_backend_dev_init();
}

namespace {

constexpr size_t kFunctionStart = 128;  // bytes, in which both questions are

// cmpb $0, displacement(%rip)
constexpr size_t kSize = 7;
constexpr uint8_t kOpcode = 0x80;
constexpr uint8_t kOperands = 0x3d;
constexpr uint8_t kNeverEqual = 0xff;  // instead of 0: a bool is 0 or 1

bool asks_for_kvm(const uint8_t* code) {
    int32_t displacement = 0;
    std::memcpy(&displacement, code + 2, sizeof displacement);
    const void* const compared = code + kSize + displacement;
    return code[0] == kOpcode && code[1] == kOperands && code[kSize - 1] == 0 &&
           (compared == &kvm_allowed || compared == &kvm_eventfds_allowed);
}

void make_writable(uint8_t* code, int protection) {
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    auto* const first = code - reinterpret_cast<uintptr_t>(code) % page;
    ::mprotect(first, 2 * page, protection);
}

[[gnu::constructor]] void answer_for_kvm() {
    auto* const function = reinterpret_cast<uint8_t*>(&vhost_user_backend_dev_init);
    if (function == nullptr || &kvm_allowed == nullptr || &kvm_eventfds_allowed == nullptr)
        return;
    make_writable(function, PROT_READ | PROT_WRITE | PROT_EXEC);
    for (uint8_t& byte : std::span(function, kFunctionStart))
        if (asks_for_kvm(&byte))
            (&byte)[kSize - 1] = kNeverEqual;
    make_writable(function, PROT_READ | PROT_EXEC);
}

}  // namespace
