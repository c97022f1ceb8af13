"""What `cmake --install` leaves behind works by itself, under any prefix."""
import json
import os
import subprocess

import pytest

from harness import places

PROJECT = """
cmake_minimum_required(VERSION 3.14)
project(outside NONE)
find_package(ggml-virtgpu 0.1 REQUIRED)
if(NOT EXISTS "${ggml-virtgpu_PLUGIN}")
    message(FATAL_ERROR "no plug-in at ${ggml-virtgpu_PLUGIN}")
endif()
message("plug-in: ${ggml-virtgpu_PLUGIN}")
"""


def run(*command, **variables):
    answer = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=100, check=False,
                            env={**os.environ, **variables})
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout + answer.stderr


def configured(name):
    """The value of a variable in the build's cache."""
    lines = (places.build_folder() / "CMakeCache.txt").read_text(encoding="utf-8").splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}:"))


@pytest.fixture(scope="module", name="prefix")
def installed(tmp_path_factory):
    if os.path.isabs(configured("GGML_VIRTGPU_PLUGIN_DIR")):
        pytest.skip("the plug-in is to be installed into the system's own ggml")
    folder = tmp_path_factory.mktemp("prefix").resolve()
    run("cmake", "--install", places.build_folder(), "--prefix", folder)
    return folder


@pytest.fixture(name="library_folder")
def folder_of_the_libraries(prefix):
    return prefix / configured("CMAKE_INSTALL_LIBDIR")


@pytest.fixture(name="plugin")
def installed_plugin(prefix):
    return prefix / configured("GGML_VIRTGPU_PLUGIN_DIR") / "libggml-virtgpu.so"


def test_the_host_finds_its_worker(prefix):
    assert "CPU" in run(prefix / "bin/ggml-virtgpu-host", "devices", "--backend", "cpu")


def test_the_worker_finds_its_library(prefix, library_folder):
    worker = prefix / configured("CMAKE_INSTALL_LIBEXECDIR") / "ggml-virtgpu-worker"
    libraries = run(worker, LD_TRACE_LOADED_OBJECTS="1").splitlines()
    [backend] = [line for line in libraries if "libggml-virtgpu-backend.so" in line]
    found = backend.partition("=> ")[2].split()[0]
    assert os.path.realpath(found) == str(library_folder / "libggml-virtgpu-backend.so")


def test_qemus_description_names_the_host(prefix):
    description = json.loads((prefix / "share/qemu/vhost-user/90-ggml-virtgpu.json").read_text(encoding="utf-8"))
    assert description["binary"] == str(prefix / "bin/ggml-virtgpu-host")


def test_pkg_config_finds_the_plugin(library_folder, plugin):
    assert plugin.exists()
    answer = run("pkg-config", "--variable=plugindir", "ggml-virtgpu",
                 PKG_CONFIG_PATH=str(library_folder / "pkgconfig"))
    assert os.path.realpath(answer.strip()) == str(plugin.parent)


def test_a_cmake_project_finds_the_plugin(prefix, plugin, tmp_path):
    (tmp_path / "CMakeLists.txt").write_text(PROJECT, encoding="utf-8")
    answer = run("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    assert f"plug-in: {plugin}" in answer


@pytest.mark.parametrize("purpose", ["containers", "machines"])
def test_the_units_start_the_installed_program_with_the_installed_configuration(prefix, purpose):
    units = prefix / configured("VIRTGPU_UNIT_DIR")
    service = (units / f"ggml-virtgpu-{purpose}.service").read_text(encoding="utf-8").splitlines()
    [program] = [line.partition("=")[2] for line in service if line.startswith("ExecStart=")]
    [configuration] = [line.rpartition("=")[2] for line in service
                       if line.startswith("Environment=GGML_VIRTGPU_HOST_CONFIG=")]
    assert program == str(prefix / "bin/ggml-virtgpu-host")
    assert configuration == str(prefix / configured("CMAKE_INSTALL_SYSCONFDIR") / f"ggml-virtgpu/{purpose}.toml")
    assert "CPU" in run(program, "devices", "--backend", "cpu", GGML_VIRTGPU_HOST_CONFIG=configuration)
    # systemd starts the service of the socket's own name.
    assert "Service=" not in (units / f"ggml-virtgpu-{purpose}.socket").read_text(encoding="utf-8")


def test_services_that_could_not_start_are_not_installed(tmp_path):
    """Their ProtectHome= hides what is in homes: a program there, or a sysroot that its worker needs."""
    if os.path.isabs(configured("VIRTGPU_UNIT_DIR")):
        pytest.skip("the units are to be installed into the system's own folder")
    answer = run("cmake", "--install", places.build_folder(), "--prefix", "/home/somebody/prefix", "--component", "host",
                 DESTDIR=str(tmp_path))
    assert "The services are not installed" in answer
    there = tmp_path / "home/somebody/prefix"
    assert (there / "bin/ggml-virtgpu-host").exists()
    assert not (there / configured("VIRTGPU_UNIT_DIR")).exists()


def test_the_guests_doctor_is_installed(prefix):
    assert "ggml-virtgpu-doctor" in run(prefix / "bin/ggml-virtgpu-doctor", "--version")


@pytest.mark.parametrize("program", ["ggml-virtgpu-host", "ggml-virtgpu-host-doctor", "ggml-virtgpu-doctor"])
def test_manual_pages_have_options_and_no_help2man_leftovers(prefix, program):
    if configured("HELP2MAN").endswith("NOTFOUND"):
        pytest.skip("without help2man there are no manual pages")
    page = (prefix / "share/man/man1" / f"{program}.1").read_text(encoding="utf-8")
    assert ".SH OPTIONS" in page
    assert {"ggml-virtgpu-host": "\\-\\-listen"}.get(program, "\\-\\-json") in page
    assert "{false}" not in page and page.count("Examples:") == 0
