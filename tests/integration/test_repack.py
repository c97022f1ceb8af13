"""Weights that the host repacks: the numbers are those of native llama.cpp, which repacks them when it loads them.

The model is the demo model in Q4_0, a type that x86 and ARM processors have another layout for.
"""
import subprocess

import pytest

from container import Container, assert_text_equals_native
from harness import generation, places
from harness.host import HostProgram

TEXT = "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is the sun.\n" * 12


@pytest.fixture(scope="module", name="model")
def quantized_model(tmp_path_factory):
    model = tmp_path_factory.mktemp("repack") / "bard-q4_0.gguf"
    subprocess.run([*places.command_for("llama-quantize"), "--allow-requantize", str(places.MODEL), str(model), "Q4_0"],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return model


@pytest.fixture(scope="module", name="plain_container")
def container_of_a_host_that_does_not_repack(log_folder):
    with HostProgram(log_folder / "plain", serve="--listen", arguments=["--no-repack"]) as host:
        yield Container(host.socket)


@pytest.fixture(name="logits")
def logits_of(model, tmp_path, container):
    """All logits of a text, as llama-perplexity keeps them: `logits(options)`, natively or in a given container."""
    (tmp_path / "text").write_text(TEXT, encoding="utf-8")

    def run(*options, inside=container):
        file = tmp_path / "logits"
        finished = inside.run("llama-perplexity", "-m", model, "-f", tmp_path / "text", "-c", "128", "--chunks", "4",
                              "-t", "2", "--save-all-logits", file, *options)
        assert finished.status == 0, finished.errors[-3000:]
        return file.read_bytes()
    return run


NATIVE = ("--device", "none")
REMOTE = ("--device", generation.DEVICE, "-ngl", "99")


def test_logits_equal_those_of_natively_repacked_weights(logits):
    assert logits(*REMOTE) == logits(*NATIVE)


def test_without_repacking_logits_equal_those_of_plain_weights(logits, plain_container):
    assert logits(*REMOTE, inside=plain_container) == logits(*NATIVE, "--no-repack")


@pytest.mark.parametrize("options", [(), ("-fa", "on"), ("-b", "1")])
def test_text_equals_native(container, model, options):
    request = generation.Request(tokens=48, model=model, options=options)
    assert_text_equals_native(request, lambda: container.generate(request, "--device", generation.DEVICE))


def test_text_without_repacking_equals_native(plain_container, model):
    request = generation.Request(tokens=48, model=model, repack=False)
    assert_text_equals_native(request, lambda: plain_container.generate(request, "--device", generation.DEVICE))
