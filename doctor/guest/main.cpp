#include <CLI/CLI.hpp>
#include <cstdlib>

#include "doctor/guest/guest_doctor.h"
#include "doctor/report.h"
#include "wire/text.h"

int main(int argc, char** argv) {
    using namespace virtgpu;
    doctor::GuestDoctorOptions options;
    bool json = false;
    CLI::App app("Says whether programs here reach the host's ggml devices, and what is missing.",
                 "ggml-virtgpu-doctor");
    app.add_flag("--json", json, "Print the report as JSON");
    app.add_option("--ggml", options.ggmls,
                   "A ggml to look at, by the path of its libggml.so; repeatable; default: the "
                   "system's libggml.so.0")
        ->type_name("PATH")
        ->allow_extra_args(false);
    app.set_version_flag("--version", wire::format("ggml-virtgpu-doctor {}", VIRTGPU_VERSION));
    CLI11_PARSE(app, argc, argv);
    if (const char* const socket = std::getenv("GGML_VIRTGPU_SOCKET"))
        options.socket_path = socket;
    const doctor::SystemRoot root;
    const doctor::Report report(doctor::guest_checks(options, root));
    wire::print(stdout, "{}", json ? report.json() : report.text());
    return report.exit_status();
}
