"""The generator: what is committed is current, and wrong definitions are refused."""
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
GENERATOR = ROOT / "protocol" / "regenerate_remoting.py"
DEFINITION = ROOT / "protocol" / "ggmlremoting_functions.yaml"


def generate(*arguments):
    return subprocess.run([sys.executable, GENERATOR, *arguments], capture_output=True, text=True,
                          check=False)


def with_change(tmp_path, old, new):
    text = DEFINITION.read_text()
    assert text.count(old) >= 1, f"the definition no longer has {old!r}"
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace(old, new, 1))
    return changed


def test_committed_files_are_current():
    result = generate("--check")
    assert result.returncode == 0, result.stdout


def test_a_changed_definition_makes_them_stale(tmp_path):
    changed = with_change(tmp_path, "kMaxRings:         {value: 63", "kMaxRings:         {value: 62")
    result = generate("--check", "--definition", changed)
    assert result.returncode == 1
    assert "protocol/generated/structures.h" in result.stdout


@pytest.mark.parametrize("old, new, complaint", [
    ("    id: 14\n", "    id: 13\n", "BUFFER_TYPE_ALLOC_BUFFER has the id of BUFFER_TYPE_IS_HOST"),
    ('offset: [u64, "First byte."]', 'offset: [u65, "First byte."]', "unknown type 'u65'"),
    ("string<kMaxNameLength>", "string<kMaxNames2>", "unknown limit 'kMaxNames2'"),
    ("reply_head:   [64, ", "reply_head:   [4, ", "RingHeader.reply_head: bad place 4"),
])
def test_wrong_definitions_are_refused(tmp_path, old, new, complaint):
    result = generate("--definition", with_change(tmp_path, old, new), "--output", tmp_path)
    assert result.returncode != 0
    assert complaint in result.stderr
    assert not (tmp_path / "wire").exists(), "nothing is written"
