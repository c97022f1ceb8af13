"""docs/interop.md: each defect of the original has a test that is named after it, and the tables agree with the code."""
import functools
import re

import pytest

from harness import places

PAGE = places.REPOSITORY / "docs/interop.md"
DEFECTS = [*(f"3.{number}" for number in range(1, 8)), *(f"5.5.{number}" for number in range(1, 15)), "5.6"]
NUMBER = re.compile(r"\b(\d(?:\.\d+)+):")
CPP_TEST = re.compile(r"^(?:TEST|TEST_F|TEST_P|TYPED_TEST)\((\w+), (\w+)\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)


@functools.cache
def known_tests():
    found = set()
    for path in (places.REPOSITORY / "tests").rglob("*_test.cpp"):
        found.update(".".join(names) for names in CPP_TEST.findall(path.read_text(encoding="utf-8")))
    for path in (places.REPOSITORY / "tests").rglob("*test*.py"):
        found.update(PYTHON_TEST.findall(path.read_text(encoding="utf-8")))
    return found


def named(pattern):
    """The tests of that name; it may end with *, for all that begin like it."""
    if pattern.endswith("*"):
        return {name for name in known_tests() if name.startswith(pattern[:-1])}
    return known_tests() & {pattern}


def rows():
    """Of the table of defects: the number, or None, and the names of its tests."""
    section = PAGE.read_text(encoding="utf-8").split("\n## What the original does wrong\n")[1]
    for line in section.splitlines():
        cells = line.split("|")[1:-1]
        if len(cells) == 2 and "`" in cells[1]:
            number = NUMBER.search(cells[0])
            yield number and number.group(1), re.findall(r"`([^`]+)`", cells[1])


def begins_with(name, number):
    """Upstream5510..., test_upstream_5_5_10_..., and the same for virglrenderer."""
    project = "Virglrenderer" if number.startswith("3") else "Upstream"
    return (f".{project}{number.replace('.', '')}" in name
            or name.startswith(f"test_{project.lower()}_{number.replace('.', '_')}_"))


@pytest.mark.parametrize("number", DEFECTS)
def test_each_defect_has_a_test_that_is_named_after_it(number):
    names = [name for defect, names in rows() if defect == number for name in names]
    assert names, "no row"
    for name in names:
        assert named(name), f"there is no test {name}"
        assert begins_with(name, number), name


def test_what_else_is_in_the_table_is_tested_too():
    for number, names in rows():
        assert all(map(named, names)), (number, names)


def test_each_way_to_end_upstreams_host_is_a_test():
    assert len(named("DefectsTest.Upstream56*")) >= 20


def rows_of_page():
    """Of the table of codes: the code, upstream's name and each of the host's texts."""
    section = PAGE.read_text(encoding="utf-8").split("\n| code | upstream's name |")[1].split("\n\n")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3 and cells[0].isdigit():
            yield from ((int(cells[0]), cells[1], words) for words in re.findall(r"`([^`]+)`", cells[2]))


def rows_of_test():
    """The same of the test that asks the host's code for them."""
    code = (places.REPOSITORY / "tests/unit/worker/library/library_codes_test.cpp").read_text(encoding="utf-8")
    row = re.compile(r'\{(\d+), "(\w+)", \w+,\s*"([^"]*)"\}')
    return [(int(number), name, words) for number, name, words in row.findall(re.sub(r'"\s*\n\s*"', "", code))]


def test_the_codes_of_a_librarys_start_have_the_hosts_words():
    assert len(rows_of_test()) >= 15
    assert list(rows_of_page()) == rows_of_test()


def test_the_codes_of_a_librarys_start_have_upstreams_names():
    header = (places.REPOSITORY / "backend/apir/library_codes.h").read_text(encoding="utf-8")
    codes, start = (dict((re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(), int(number))
                         for name, number in re.findall(r"k(\w+) = (\d+),", text))
                    for text in header.split("enum class StartCode"))
    named = {(number, name) for number, name, _ in rows_of_page()}
    assert named == {(number, name) for name, number in codes.items() if number} | {
        (6 + number, name) for name, number in start.items() if number}
