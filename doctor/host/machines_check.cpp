#include "doctor/host/machines_check.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "doctor/host/unit_socket.h"

namespace virtgpu::doctor {

namespace {

constexpr const char* kGeneric = "vhost-user-test-device";
constexpr const char* kShare =
    "-machine …,memory-backend=mem -object memory-backend-memfd,id=mem,size=SIZE,share=on, with "
    "SIZE "
    "as of -m";

std::vector<std::string> split_at_zeroes(const std::string& text) {
    std::vector<std::string> words(1);
    for (const char c : text)
        if (c == '\0')
            words.emplace_back();
        else
            words.back() += c;
    if (words.back().empty())
        words.pop_back();
    return words;
}

Finding about_memory(const QemuCommandLine& line, const std::string& device,
                     const std::string& subject) {
    if (!line.shares_memory())
        return problem(subject, "the guest's memory is not shared: the device cannot work in it",
                       kShare);
    if (line.has_huge_pages() && !device.starts_with(kGeneric))
        return problem(
            subject,
            wire::format("the guest's memory is of huge pages: {} cannot share huge pages", device),
            kShare);
    return ok(subject, "the guest's memory is shared");
}

// The generic device is what its options make it.
Finding about_generic(const QemuCommandLine::Option& device, const std::string& subject) {
    const QemuCommandLine::Option wanted{
        {"virtio-id", "16"}, {"num_vqs", "2"}, {"config_size", "16"}};
    for (const auto& [key, right] : wanted) {
        const auto found = device.find(key);
        if (found == device.end() || found->second != right)
            return problem(subject,
                           wire::format("the device has {} {} instead of {}", key,
                                        found == device.end() ? "missing" : found->second, right),
                           "-device " + device_argument(DevicePath::kGeneric));
    }
    return ok(subject, "the device is a virtio-gpu");
}

Finding about_version(const QemuCommandLine& line, const std::string& device,
                      const std::string& subject) {
    const auto version = ask_qemu_version(line.program());
    if (!version)
        return warning(subject, version.error().message(), "name QEMU's program first");
    const DevicePath path = path_of(*version);
    const bool generic = device.starts_with(kGeneric);
    const std::string right = "-device " + device_argument(path);
    if (path == DevicePath::kNone || (generic && path != DevicePath::kGeneric))
        return problem(subject, wire::format("QEMU {} has no {}", version->text(), device),
                       path == DevicePath::kNone ? "use a newer QEMU" : right);
    if (!generic && path == DevicePath::kGeneric && *version < kFirstWholeGpu)
        return warning(subject, wire::format("{} shares guest memory only", device), right);
    if (needs_kvm(*version) && !line.wants_kvm())
        return problem(subject,
                       wire::format("QEMU {} has {} with KVM alone", version->text(), device),
                       "-accel kvm, or a newer QEMU");
    return ok(subject, wire::format("QEMU {} has {}", version->text(), device));
}

Finding about_socket(const std::string& path, const std::string& subject) {
    if (path.empty())
        return problem(subject, "the device's chardev is no socket with a path",
                       "-chardev socket,id=vgpu,path=PATH");
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode))
        return ok(subject, wire::format("connects to {}", path));
    const auto unit = unit_of_socket(path);
    return problem(
        subject, wire::format("there is no socket {}", path),
        unit ? wire::format("systemctl enable --now {}", *unit)
             : wire::format("start `ggml-virtgpu-host --socket-path {}` before QEMU", path));
}

}  // namespace

Findings MachinesCheck::examine() {
    return command_.empty() ? examine_running() : examine_command();
}

Findings MachinesCheck::examine_running() const {
    Findings findings;
    for (const std::string& process : root_.entries("/proc", "")) {
        const std::string name = process.substr(process.rfind('/') + 1);
        if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); }))
            continue;
        const QemuCommandLine line(split_at_zeroes(root_.text(process + "/cmdline").value_or("")));
        const auto device = line.device();
        if (!device || line.program().find("qemu") == std::string::npos)
            continue;
        const std::string subject = "VM " + name;
        findings.push_back(about_memory(line, device->at(""), subject));
        if (device->at("").starts_with(kGeneric))
            findings.push_back(about_generic(*device, subject));
    }
    return findings;
}

Findings MachinesCheck::examine_command() const {
    const std::string subject = "VM";
    const QemuCommandLine line(command_);
    const auto device = line.device();
    if (!device) {
        const auto version = ask_qemu_version(line.program());
        const DevicePath path = version ? path_of(*version) : DevicePath::kGeneric;
        return {problem(subject, "the command line has no device of ours",
                        "-chardev socket,id=vgpu,path=PATH -device " + device_argument(path))};
    }
    const std::string name = device->at("");
    Findings findings{about_version(line, name, subject), about_memory(line, name, subject),
                      about_socket(line.socket_path(), subject)};
    if (name.starts_with(kGeneric))
        findings.push_back(about_generic(*device, subject));
    return findings;
}

}  // namespace virtgpu::doctor
