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


def test_upstream_5_5_14_every_variable_is_on_the_page_and_no_other():
    assert on_the_page() == read_by_the_code()


def table_of_the_plugin():
    """Defaults by variable."""
    section = (ROOT / "docs/configuration.md").read_text().split("## The plug-in")[1].split("\n## ")[0]
    return dict(re.findall(rf"^\| `({VARIABLE})` \| ([^|]+) \|", section, re.MULTILINE))


def read_by_the_plugin(pattern):
    code = "".join(path.read_text() for path in (ROOT / "frontend").rglob("*.cpp"))
    return set(re.findall(pattern.format(rf'"({VARIABLE})"'), code))


def test_the_plugins_table_has_what_the_plugin_reads():
    assert set(table_of_the_plugin()) == read_by_the_plugin("{}")


def test_switches_of_the_plugin_are_off_and_everything_else_is_not_set():
    switches = {variable for variable, default in table_of_the_plugin().items() if default == "0"}
    assert switches == read_by_the_plugin(r"is_on\({}\)")
    others = set(table_of_the_plugin()) - switches
    assert others <= read_by_the_plugin(r"getenv\({}\)"), "nothing stands for a variable that is not set"
