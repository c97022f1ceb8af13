// What a QEMU command line says about our device, in QEMU's own form (a=b,c=d) or as JSON, which
// libvirt writes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace virtgpu::doctor {

class QemuCommandLine {
 public:
    // The keys of one option; the first part that has no key is under "".
    using Option = std::map<std::string, std::string>;

    explicit QemuCommandLine(const std::vector<std::string>& words);

    const std::string& program() const { return program_; }
    // The device that leads to us, if there is one. Its "" is QEMU's name of it.
    std::optional<Option> device() const;
    // Path of the socket that the device connects to; empty where it is not said.
    std::string socket_path() const;
    // Whether another process can map the guest's memory.
    bool shares_memory() const;
    // Whether some of the guest's memory is of huge pages that were set aside (hugetlbfs); of a
    // file as far as its name tells, because the command may be for another machine or not yet run.
    bool has_huge_pages() const;
    // Whether it asks for KVM, perhaps among other accelerators.
    bool wants_kvm() const;

 private:
    // All options of that name, such as "-device".
    std::vector<Option> options(const std::string& name) const;
    std::optional<Option> object(const std::string& id) const;
    // The identifiers of the memory backends that the guest's memory is made of.
    std::vector<std::string> memory_backends() const;

    std::string program_;
    bool enables_kvm_ = false;  // -enable-kvm, which has no value
    std::vector<std::pair<std::string, Option>> options_;
};

}  // namespace virtgpu::doctor
