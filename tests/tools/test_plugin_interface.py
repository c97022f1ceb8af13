"""docs/plugin-interface.md says of every function of ggml's plug-in interface what becomes of it."""
import re

import pytest

from harness import places

HEADER = places.REPOSITORY / "ggml_private/ggml_plugin_abi.h"
PAGE = places.REPOSITORY / "docs/plugin-interface.md"
SECTIONS = {"ggml_backend_reg_i": "Registry", "ggml_backend_device_i": "Device", "ggml_backend_buffer_type_i": "Buffer type",
            "ggml_backend_buffer_i": "Buffer", "ggml_backend_i": "Stream (`ggml_backend_t`)"}
STRUCTURE = re.compile(r"^struct (\w+) \{\n(.*?)^\};", re.MULTILINE | re.DOTALL)
FUNCTION = re.compile(r"\(\*(\w+)\)")
ANSWERS = re.compile(r"(?:local|forwarded|left out)")


def functions():
    structures = dict(STRUCTURE.findall(HEADER.read_text(encoding="utf-8")))
    return [(section, name) for structure, section in SECTIONS.items()
            for name in FUNCTION.findall(structures[structure])]


def rows(section):
    """The table of a section: its first column's words, and the second column."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3:
            yield [word.strip("` …:") for word in re.split(r"[, ]+", cells[0])], cells[1]


def answers(section, function):
    """What the page says of a function; a name may end with *, for all that begin like it."""
    for words, answer in rows(section):
        if any(word == function or (word.endswith("*") and function.startswith(word[:-1])) for word in words):
            yield answer


def test_there_are_functions():
    assert len(functions()) > 50


@pytest.mark.parametrize("section, function", functions())
def test_each_function_has_its_row(section, function):
    [answer] = answers(section, function)
    assert ANSWERS.match(answer), f"{function}: {answer}"


def test_nothing_is_left_to_do():
    assert not re.search(r"\b(to do|todo|not yet|later)\b", PAGE.read_text(encoding="utf-8"), re.IGNORECASE)
