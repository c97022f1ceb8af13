"""Commands of the documentation name options, units, paths and properties that exist."""
import functools
import os
import pathlib
import re
import shutil
import socket
import subprocess

import pytest

from container import Container
from harness import places, processes, qemu
from harness.host import HostProgram

PAGES = ("README.md", "SECURITY.md", *(f"docs/{name}.md" for name in
                                       ("configuration", "containers", "doctor", "interop", "libvirt", "performance")))
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# Of other programs, in the running text.
OTHERS = {"--security-opt", "--group-add", "--repack"}
UNITS = places.REPOSITORY / "host/systemd"
WORDS = {"containers": "containers", "machines": "VMMs"}  # of the host's log
SUBCOMMANDS = ("devices", "doctor")
# What may stand before the program: a prompt (or the sign of a comment), sudo, variables.
BEFORE = r"(?:[#$] +)?(?:(?:sudo|[A-Z][A-Z0-9_]*=\S*) +)*"


def text_of(page):
    return (places.REPOSITORY / page).read_text(encoding="utf-8")


ALL_TEXT = "\n".join(map(text_of, PAGES))


@functools.cache
def options_of(*command):
    answer = subprocess.run([*command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    return set(OPTION.findall(answer.stdout.split("\nExamples:")[0]))


def host_options(command=""):
    """Those that the command's subcommand takes, or the program without one."""
    subcommand = [word for word in command.split()[1:2] if word in SUBCOMMANDS]
    return options_of(places.host_program(), *subcommand)


def commands_in(text, program):
    """Those of the text's blocks that start `program`, each as one line without what stands before it and a comment."""
    lines = "\n".join(text.replace("\\\n", " ").split("```")[1::2]).splitlines()
    found = [re.match(rf"{BEFORE}((?:\S*/)?{program}(?: .*)?)$", line.strip()) for line in lines]
    return [match[1].split(" #")[0] for match in found if match]


def commands(page, program):
    return commands_in(text_of(page), program)


def all_commands(program):
    found = [command for page in PAGES for command in commands(page, program)]
    assert found, f"no page shows {program}"
    return found


def test_commands_are_found_behind_what_stands_before_them():
    text = """before
```sh
# bin/tool --a
X=1 Y2=$Z sudo tool \\
    --b # why
other tool --c
# a tool --d
```
tool --e
"""
    assert [command.split() for command in commands_in(text, "tool")] == [["bin/tool", "--a"], ["tool", "--b"]]


def test_options_of_the_host_program_exist():
    for command in all_commands("ggml-virtgpu-host"):
        ours = command.split(" -- ")[0]
        assert set(OPTION.findall(ours)) <= host_options(ours), command


def test_options_are_those_of_one_subcommand():
    assert "--json" in host_options("ggml-virtgpu-host doctor --json")
    assert "--json" not in host_options("ggml-virtgpu-host --json")
    assert "--window" not in host_options("ggml-virtgpu-host devices --window 0")


def test_options_of_the_guests_doctor_exist():
    doctor = options_of(*places.command_for(str(places.guest_doctor())))
    for command in all_commands("ggml-virtgpu-doctor"):
        assert set(OPTION.findall(command)) <= doctor, command


def test_options_in_the_text_exist():
    # Of an option alone only the text around it says whose it is.
    anyones = OTHERS.union(*map(host_options, ("", *(f"host {name}" for name in SUBCOMMANDS))),
                           options_of(*places.command_for(str(places.guest_doctor()))),
                           options_of(places.REPOSITORY / "tools/benchmark/benchmark"))
    alone = re.findall(r"`(--[^`]*)`", ALL_TEXT)
    commanded = re.findall(r"`(ggml-virtgpu-host [^`]*)`", ALL_TEXT)
    assert alone and any("--" in code for code in commanded)
    for code in alone:
        assert set(OPTION.findall(code)) <= anyones, code
    for code in commanded:
        assert set(OPTION.findall(code.split(" -- ")[0])) <= host_options(code), code


@pytest.mark.parametrize("program", ["podman", "docker"])
def test_options_of_a_container_program_exist(program):
    if not shutil.which(program):
        pytest.skip(f"no {program} here")
    known = options_of(program, "run")
    shown = commands("docs/containers.md", f"{program} run")
    assert shown
    for command in shown:
        options = command.split("IMAGE")[0]
        assert set(OPTION.findall(options)) <= known, command


def test_the_readmes_qemu_starts(tmp_path):
    """By the program that the README names, with the socket of a host program; without KVM, disks and network."""
    [command] = commands("README.md", "qemu-system-x86_64")
    assert "`tools/bootstrap/run-in-sysroot qemu-system-x86_64 …`" in text_of("README.md")
    with HostProgram(tmp_path) as host:
        words = re.sub(r"path=\S+", f"path={host.socket}", command).replace("-accel kvm -cpu host", "-accel tcg")
        words = words.replace("…your disks and network…", "-display none -qmp stdio").split()
        assert "kvm" not in words and "…" not in " ".join(words)
        answer = subprocess.run([places.REPOSITORY / "tools/bootstrap/run-in-sysroot", *words], capture_output=True,
                                input=''.join(f'{{"execute": "{name}"}}' for name in ("qmp_capabilities", "query-status", "quit")),
                                text=True, timeout=120, check=False)
    assert answer.returncode == 0 and '"status": "running"' in answer.stdout, answer.stdout + answer.stderr


def test_what_a_container_reads_is_mounted():
    for program in ("podman run", "docker run"):
        for command in commands("docs/containers.md", program):
            mounted = [words.split(":")[1] for words in re.findall(r'-v "?([^" ]+)', command)]
            for path in re.findall(r"(?:-m |SOCKET=)(/\S+)", command):
                assert any(path == place or path.startswith(place + "/") for place in mounted), command


def properties_of(device):
    answer = subprocess.run([*qemu.command(), "-device", f"{device},help"], env=qemu.environment("tcg"),
                            capture_output=True, text=True, timeout=60, check=False)
    return {line.strip().split("=")[0] for line in answer.stdout.splitlines() if "=" in line}


def test_devices_have_the_properties_that_are_set():
    # The properties of libvirt's own device are QEMU's business.
    shown = set(re.findall(r"\b(vhost-user-(?:gpu|test-device)-pci)((?:,[\w-]+=[\w.-]+)+)", ALL_TEXT))
    assert {device for device, _ in shown} == {"vhost-user-gpu-pci", "vhost-user-test-device-pci"}
    for device, properties in shown:
        names = {pair.split("=")[0] for pair in properties[1:].split(",")}
        assert names <= properties_of(device), f"{device}{properties}"


def installed_units():
    """Names and texts of the units as they are installed, with this build's host program and the repository's configurations."""
    template = (UNITS / "ggml-virtgpu.service.in").read_text(encoding="utf-8")
    for purpose in ("containers", "machines"):
        text = template
        for name, value in (("bin_folder", places.host_program().parent), ("purpose", purpose),
                            ("configuration_folder", places.REPOSITORY / "host")):
            text = text.replace(f"@{name}@", str(value))
        yield f"ggml-virtgpu-{purpose}.service", text
    for unit in UNITS.glob("*.socket"):
        yield unit.name, unit.read_text(encoding="utf-8")


def values(unit, key):
    return re.findall(rf"^{key}=(.+)$", unit, re.MULTILINE)


def test_units_and_their_sockets_exist():
    units = dict(installed_units())
    named = set(re.findall(r"\bggml-virtgpu-\w+\.(?:socket|service)\b", ALL_TEXT))
    assert named and named <= set(units)
    sockets = values("\n".join(units.values()), r"Listen\w+")
    assert set(re.findall(r"/run/ggml-virtgpu/\w+\.sock", ALL_TEXT)) == set(sockets)


@pytest.mark.parametrize("purpose", ["containers", "machines"])
def test_a_service_serves_its_socket(tmp_path, purpose):
    """What systemd does, by its protocol: it makes the socket and starts the program with it and the unit's environment."""
    units = dict(installed_units())
    service, unit = units[f"ggml-virtgpu-{purpose}.service"], units[f"ggml-virtgpu-{purpose}.socket"]
    kind = socket.SOCK_SEQPACKET if values(unit, "ListenSequentialPacket") else socket.SOCK_STREAM
    [program] = values(service, "ExecStart")
    variables = dict(value.split("=", 1) for value in values(service, "Environment"))
    assert pathlib.Path(variables["GGML_VIRTGPU_HOST_CONFIG"]).is_file()
    del variables["XDG_CACHE_HOME"]  # a folder of the service's own
    path, log = tmp_path / "socket", tmp_path / "log"
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(str(path))
        listener.listen()
        # LISTEN_PID is the program's own, which only it knows; the first socket is descriptor 3.
        script = f"LISTEN_PID=$$ LISTEN_FDS=1 exec {program} 3<&{listener.fileno()}"
        running = processes.start(["bash", "-c", script], log, pass_fds=[listener.fileno()],
                                  environment={**os.environ, **variables})
        try:
            processes.wait_until(lambda: f"listening for {WORDS[purpose]} on {path}" in log.read_text("utf-8"), 60,
                                 "the service's start")
            if purpose == "containers":
                assert "virtgpu0" in Container(path).run("llama-bench", "--list-devices").output
        finally:
            processes.end(running)


@pytest.fixture(name="units")
def fixture_units(tmp_path):
    """The units' files as they are installed."""
    for name, text in installed_units():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return sorted(tmp_path.iterdir())


def complaints_about(units):
    """What systemd says of these units; of others of the machine it complains as well."""
    answer = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True,
                            timeout=60, check=False)
    return [line for line in answer.stderr.splitlines() if "ggml-virtgpu" in line]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_understands_the_units(units):
    assert len(units) == 4
    assert not complaints_about(units)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_complains_of_a_key_that_it_does_not_know(units):
    for unit in units:
        unit.write_text(unit.read_text(encoding="utf-8") + "\n[Unit]\nBogus=1\n", encoding="utf-8")
    complaints = complaints_about(units)
    assert all(any(unit.name in line and "Bogus" in line for line in complaints) for unit in units), complaints


DOMAIN = """\
<name>guest</name> <memory unit="GiB">4</memory> <os><type arch="x86_64" machine="q35">hvm</type></os>
"""


def libvirt_domains():
    """Whole domains with each of the page's snippets."""
    for snippet in re.findall(r"```xml\n(.*?)```", text_of("docs/libvirt.md"), re.DOTALL):
        if snippet.startswith("<domain "):
            yield snippet.replace("…", DOMAIN)
        elif snippet.startswith("<memoryBacking>"):
            yield f"<domain type='kvm'>{DOMAIN}{snippet}</domain>"
        else:
            yield f"<domain type='kvm'>{DOMAIN}<devices>{snippet}</devices></domain>"


@pytest.mark.skipif(not shutil.which("virt-xml-validate"), reason="no virt-xml-validate here")
def test_libvirt_understands_the_domains(tmp_path):
    domains = list(libvirt_domains())
    assert len(domains) == 3
    for domain in domains:
        path = tmp_path / "domain.xml"
        path.write_text(domain, encoding="utf-8")
        answer = subprocess.run(["virt-xml-validate", path, "domain"], capture_output=True, text=True, timeout=60,
                                check=False)
        assert answer.returncode == 0, answer.stdout + answer.stderr + domain


def test_the_vhost_user_description_is_the_one_that_is_installed():
    assert (places.REPOSITORY / "host/90-ggml-virtgpu.json.in").exists()
    installed = (places.REPOSITORY / "debian/ggml-virtgpu-host.install").read_text(encoding="utf-8").split()
    assert "usr/share/qemu/vhost-user/90-ggml-virtgpu.json" in installed
    assert "`90-ggml-virtgpu.json`" in text_of("docs/libvirt.md")
