#!/usr/bin/env python3
"""Writes everything that follows from ggmlremoting_functions.yaml.

    python3 protocol/regenerate_remoting.py           write the files
    python3 protocol/regenerate_remoting.py --check   say which are stale, exit 1 if any
    ... --definition FILE --output FOLDER             from another definition, into another tree

Needs Debian's python3-yaml and python3-jinja2.
"""
import argparse
import os
import pathlib
import sys

try:
    import jinja2
    import yaml
except ImportError as missing:
    system_python = "/usr/bin/python3"  # where Debian's packages are, when another python3 comes first
    if os.path.realpath(sys.executable) != os.path.realpath(system_python):
        os.execv(system_python, [system_python, *sys.argv])
    sys.exit(f"{missing}: install Debian's python3-yaml and python3-jinja2")

from generator.model import DefinitionError, Protocol

HERE = pathlib.Path(__file__).resolve().parent

# Template -> file, relative to the repository.
OUTPUTS = {
    "structures.h.j2": "protocol/generated/structures.h",
    "codec.h.j2": "wire/generated/codec.h",
    "codec.cpp.j2": "wire/generated/codec.cpp",
    "messages.h.j2": "wire/generated/messages.h",
    "messages.cpp.j2": "wire/generated/messages.cpp",
    "dispatch.h.j2": "backend/generated/dispatch.h",
    "dispatch.cpp.j2": "backend/generated/dispatch.cpp",
    "forward_dispatch.h.j2": "backend/generated/forward_dispatch.h",
    "forward_dispatch.cpp.j2": "backend/generated/forward_dispatch.cpp",
    "forward_stubs.h.j2": "frontend/generated/forward_stubs.h",
    "forward_stubs.cpp.j2": "frontend/generated/forward_stubs.cpp",
    "stubs.h.j2": "frontend/generated/stubs.h",
    "stubs.cpp.j2": "frontend/generated/stubs.cpp",
    "PROTOCOL.md.j2": "docs/PROTOCOL.md",
    "protocol.dict.j2": "tests/fuzz/protocol.dict",
    "structure_list.h.j2": "tests/fuzz/generated/structure_list.h",
}


def render(definition: pathlib.Path) -> dict[str, str]:
    protocol = Protocol(yaml.safe_load(definition.read_text()))
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined)
    return {path: environment.get_template(template).render(protocol=protocol)
            for template, path in OUTPUTS.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--definition", type=pathlib.Path,
                        default=HERE / "ggmlremoting_functions.yaml")
    parser.add_argument("--output", type=pathlib.Path, default=HERE.parent)
    options = parser.parse_args()
    try:
        rendered = render(options.definition)
    except (DefinitionError, yaml.YAMLError) as problem:
        return f"{options.definition}: {problem}"

    stale = [path for path, text in rendered.items()
             if not (options.output / path).is_file() or (options.output / path).read_text() != text]
    if options.check:
        for path in stale:
            print(f"stale: {path}; run python3 protocol/regenerate_remoting.py")
        return 1 if stale else 0
    for path in stale:
        target = options.output / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(rendered[path])
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
