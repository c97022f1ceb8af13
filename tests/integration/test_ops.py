"""ggml's own tests of operations: the device's results against this machine's CPU.

A part of each list, chosen by parameters; without -p they take half an hour on two cores.
"""
import re

import pytest

from harness import operations

PASSED = re.compile(r"(\d+)/(\d+) tests passed")


@pytest.mark.parametrize("op, parameters", operations.SAMPLES)
def test_op_agrees_with_the_cpu(container, op, parameters):
    finished = container.test_ops("-o", op, "-p", parameters)
    counted = PASSED.search(finished.output)
    assert counted, finished.errors[-2000:]
    passed, tried = map(int, counted.groups())
    assert finished.status == 0 and passed == tried, finished.output[-3000:]
    assert tried > 0, "no test has these parameters"
