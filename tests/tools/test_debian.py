"""debian/: what the packages say agrees with what is in them."""
import fnmatch
import re

import pytest

from harness import places

DEBIAN = places.REPOSITORY / "debian"
LINK = re.compile(r"\]\(([^)#\s]+)")
SHIPPED = [line.split()[0] for name in ("ggml-virtgpu-host.docs", "ggml-virtgpu-host.install")
           for line in (DEBIAN / name).read_text(encoding="utf-8").splitlines()]


def is_shipped(path):
    """Folders are shipped whole."""
    return any(fnmatch.fnmatch(str(part), pattern) for pattern in SHIPPED for part in (path, *path.parents))


def shipped_pages():
    pages = [path.relative_to(places.REPOSITORY) for path in
             (places.REPOSITORY / "SECURITY.md", *(places.REPOSITORY / "docs").rglob("*.md"))]
    return [page for page in pages if is_shipped(page)]


def test_pages_are_shipped():
    assert {"SECURITY.md", "docs/doctor.md", "docs/interop.md", "docs/containers.md"} <= set(map(str, shipped_pages()))


@pytest.mark.parametrize("page", shipped_pages(), ids=str)
def test_what_a_shipped_page_links_to_is_shipped(page):
    for target in LINK.findall((places.REPOSITORY / page).read_text(encoding="utf-8")):
        if "://" not in target:
            path = (places.REPOSITORY / page.parent / target).resolve()
            assert path.exists(), target
            assert is_shipped(path.relative_to(places.REPOSITORY)), target


def test_the_packages_are_for_the_ggml_that_was_tried():
    """Its plug-in interface is private, and the next version may have another."""
    bounds = re.findall(r"libggml0 \(<< 0\.(\d+)~\)", (DEBIAN / "control").read_text(encoding="utf-8"))
    tried = re.search(r"version 3 \(ggml 0\.26 and 0\.(\d+)\)", (places.REPOSITORY / "docs/plugin-interface.md").read_text(encoding="utf-8"))
    assert bounds == [str(int(tried[1]) + 1)] * 2


def test_the_demo_model_has_its_own_licence():
    text = (DEBIAN / "copyright").read_text(encoding="utf-8")
    [model] = [paragraph for paragraph in text.split("\n\n") if "models/bard-q8_0.gguf" in paragraph]
    assert "License: CC0-1.0" in model
    assert "CC0-1.0" in (places.REPOSITORY / "models/README.md").read_text(encoding="utf-8")


def test_units_and_manual_pages_are_in_a_package():
    for purpose in ("containers", "machines"):
        assert (places.REPOSITORY / f"host/systemd/ggml-virtgpu-{purpose}.socket").exists()
        assert (places.REPOSITORY / f"host/{purpose}.toml").exists()
    listed = "".join(path.read_text(encoding="utf-8") for path in DEBIAN.glob("*.install"))
    for page in (places.REPOSITORY / "docs/man").glob("*.h2m"):
        assert f"usr/share/man/man1/{page.stem}.1\n" in listed, page.stem
