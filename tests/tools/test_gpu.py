"""What tools/gpu does to libraries before they are carried to a GPU machine."""
import ctypes
import shutil
import struct
import subprocess

import pytest

from gpu import cublas, elf, fat_binary

MACHINE_CODE, PTX = 2, 1


def entry(kind, capability, code):
    header = struct.pack("<HHIQ8xII", kind, 0x0101, 64, len(code), 0, capability)
    return header + bytes(64 - len(header)) + code


def container(*entries):
    content = b"".join(entries)
    return struct.pack("<IHHQ", fat_binary.MAGIC, 1, 16, len(content)) + content


def test_the_nearest_ptx_is_kept_in_each_container_and_the_length_stays():
    best = entry(PTX, 80, b"eighty..")
    section = container(entry(MACHINE_CODE, 86, b"86868686"), entry(PTX, 50, b"fifty..."), best,
                        entry(PTX, 100, b"hundred.")) + bytes(24) + container(entry(PTX, 90, b"ninety.."))
    slimmed = fat_binary.slim(section, 90)
    assert len(slimmed) == len(section)
    kept = [[(one.kind, one.capability) for one in found.entries] for found in fat_binary.containers(slimmed)]
    assert kept == [[(PTX, 80)], [(PTX, 90)]]
    assert best in slimmed and b"fifty" not in slimmed and b"8686" not in slimmed


def test_device_code_without_ptx_for_the_gpu_is_refused():
    with pytest.raises(fat_binary.Malformed, match="without PTX for compute capability 70"):
        fat_binary.slim(container(entry(PTX, 80, b"eighty..")), 70)


@pytest.mark.parametrize("section, problem", [
    (b"no fat binary at all", "no container at byte 0"),
    (container(entry(PTX, 80, b"eighty.."))[:-4], "no container at byte 0"),
    (container(entry(PTX, 80, b"eighty..")[:-4]), "no entry at byte 16")])
def test_bytes_of_another_kind_are_refused(section, problem):
    with pytest.raises(fat_binary.Malformed, match=problem):
        fat_binary.slim(section, 90)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_calls_are_passed_on_to_the_library_that_is_there(tmp_path, monkeypatch):
    real = tmp_path / "real.c"
    real.write_text("int cublasAdd(int a, int b) { return a + b; }\n", encoding="ascii")
    path = tmp_path / "libvirtgpu_test_blas.so.13"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", path, real], check=True)
    monkeypatch.setattr(cublas, "REAL", str(path))
    library = cublas.build(["cublasAdd"], tmp_path / "forwarding")
    assert ctypes.CDLL(str(library)).cublasAdd(40, 2) == 42
    user = tmp_path / "user.c"
    user.write_text("int cublasAdd(int, int); int main(void) { return cublasAdd(1, 2); }\n", encoding="ascii")
    subprocess.run(["cc", "-o", tmp_path / "user", user, library], check=True)
    assert elf.functions_of_version(tmp_path / "user", cublas.NAME) == ["cublasAdd"]


def test_a_section_of_a_library_is_found(tmp_path):
    found = shutil.which("readelf")
    offset, size = elf.section(found, ".text")
    assert offset > 0 and size > 0
    with pytest.raises(ValueError, match="has no section .nv_fatbin"):
        elf.section(found, ".nv_fatbin")
