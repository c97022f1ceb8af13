"""Guest and host with different versions of ggml compute together: what differs is known by its name."""
import os
import re

import pytest

from conformance.parts import ops
from container import Container, assert_text_equals_native
from harness import generation, operations, places
from harness.host import HostProgram

OTHER_NUMBERS = {"GGML_BACKEND_PATH": os.environ["VIRTGPU_OTHER_NUMBERS"]}
NEWER_GGML = {"GGML_BACKEND_PATH": os.environ["VIRTGPU_NEWER_GGML"]}
PASSED = re.compile(r"(\d+)/(\d+) tests passed")
# Both sides compute with weights as they are in the file: where the guest computes a part, its layout is another.
REQUEST = generation.Request(tokens=24, repack=False)


@pytest.fixture(scope="module")
def container():
    with HostProgram(places.build_folder() / "vocabulary-logs", serve="--listen", arguments=("--no-repack",)) as host:
        yield Container(host.socket)


def supported(container, op, frontend):
    finished = container.run(ops.program(), "support", "-b", "virtgpu0", "-o", op, "--output", "csv", **frontend)
    assert finished.status == 0, finished.errors[-2000:]
    return any(ops.supported(finished.output).values())


@pytest.mark.parametrize("op, parameters", [*operations.SAMPLES, ("SILU", "type=f32"), ("SWIGLU", "type=f32")])
def test_operations_with_other_numbers(container, op, parameters):
    finished = container.run(ops.program(), "test", "-b", "virtgpu0", "-o", op, "-p", parameters,
                             seconds=300, **OTHER_NUMBERS)
    counted = PASSED.search(finished.output)
    assert counted, finished.errors[-2000:]
    passed, tried = map(int, counted.groups())
    assert finished.status == 0 and passed == tried > 0, finished.output[-3000:]


def test_a_text_with_other_numbers(container):
    # llama.cpp ends at once where there is no such device.
    assert_text_equals_native(REQUEST, lambda: container.generate(REQUEST, "--device", "virtgpu0", **OTHER_NUMBERS))


def test_an_operation_that_the_host_does_not_know_is_computed_here(container):
    assert supported(container, "RMS_NORM", {})
    assert not supported(container, "RMS_NORM", NEWER_GGML)
    assert supported(container, "ADD", NEWER_GGML)
    assert_text_equals_native(REQUEST, lambda: container.generate(REQUEST, "--device", "virtgpu0", **NEWER_GGML))
