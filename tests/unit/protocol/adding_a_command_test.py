"""docs/adding-a-command.md, followed to the letter in a copy of the repository."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("VIRTGPU_BUILD", ROOT / "build/default"))
NEEDED = ["CMakeLists.txt", "cmake", "protocol", "wire", "ggml_private", "backend", "worker", "device", "sandbox", "doctor", "host",
          "frontend", "tests", "tools", "docs"]
BLOCK = re.compile(r'<!-- (?P<file>\S+), before: "(?P<anchor>[^\n]*?)" -->\n```\w+\n(?P<text>.*?)```', re.DOTALL)


def run(*command, **options):
    finished = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, **options)
    assert finished.returncode == 0, finished.stdout[-4000:]
    return finished.stdout


def copy_repository(target):
    target.mkdir()
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)


def insert(target, match):
    file = target / match["file"]
    anchor = match["anchor"].replace("\\n", "\n")
    text = file.read_text()
    assert text.count(anchor) == 1, f"{match['file']} has {anchor!r} {text.count(anchor)} times"
    file.write_text(text.replace(anchor, match["text"] + anchor))


def cached(name):
    """A variable of the build that runs this test."""
    return re.search(rf"^{name}:\w+=(.*)$", (BUILD / "CMakeCache.txt").read_text(), re.MULTILINE)[1]


def test_the_command_of_the_documentation_can_be_called(tmp_path):
    tree = tmp_path / "tree"
    copy_repository(tree)
    blocks = list(BLOCK.finditer((ROOT / "docs/adding-a-command.md").read_text()))
    assert len(blocks) == 4
    for block in blocks:
        insert(tree, block)
    run(sys.executable, tree / "protocol/regenerate_remoting.py")

    build = tmp_path / "build"
    # What the change does not touch comes from the compiler cache.
    environment = {**os.environ, "CCACHE_BASEDIR": str(tree), "CCACHE_NOHASHDIR": "1"}
    run("cmake", "-S", tree, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS=-O0 -g0",
        f"-DVIRTGPU_SYSROOT={cached('VIRTGPU_SYSROOT')}")
    run("cmake", "--build", build, "--target", "backend_test", env=environment)
    [program] = [path for path in build.rglob("backend_test") if path.is_file()]
    assert "[  PASSED  ] 1 test." in run(program, "--gtest_filter=CommandsTest.EchoSendsTheTextBack")
