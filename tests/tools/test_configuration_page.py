"""docs/configuration.md names every environment variable that the code reads, and no other of ours."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ("backend", "device", "doctor", "frontend", "host", "worker", "wire")
VARIABLE = r"(?:GGML_VIRTGPU|GGML_REMOTING|VIRGL|APIR)_[A-Z_]+"


def read_by_the_code():
    # Lists of variables are one text with commas.
    text = re.compile(rf'"({VARIABLE}(?:,{VARIABLE})*)"')
    found = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*.cpp"):
            for names in text.findall(path.read_text()):
                found.update(names.split(","))
    return found


def on_the_page():
    return set(re.findall(rf"`({VARIABLE})`", (ROOT / "docs/configuration.md").read_text()))


def test_the_code_reads_variables():
    assert {"GGML_VIRTGPU_SOCKET", "VIRGL_ROUTE_VENUS_TO_APIR", "APIR_LLAMA_CPP_GGML_LIBRARY_REG"} <= read_by_the_code()


def test_every_variable_is_on_the_page_and_no_other():
    assert on_the_page() == read_by_the_code()
