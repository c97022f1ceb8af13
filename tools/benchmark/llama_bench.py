"""One run of llama.cpp's llama-bench."""
import dataclasses
import json
import subprocess
import time

from benchmark import traffic
from harness import places

SECONDS = 600


@dataclasses.dataclass(frozen=True)
class Finished:
    speeds: dict  # tokens per second by test, as {"pp64": …, "tg64": …}
    seconds: float  # from the program's start to its end
    frontend: dict | None  # what the frontend counted, where it was asked to say it


def run(contender, model, threads, prompt, generate, options=(), count=False):
    command = [*places.command_for("llama-bench"), *arguments(model, threads, prompt, generate), *contender.arguments,
               *contender.bench_arguments, *options]
    variables = {"GGML_VIRTGPU_DEBUG": "1"} if count else {}
    started = time.monotonic()
    finished = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False,
                              env=contender.environment(**variables))
    seconds = time.monotonic() - started
    if finished.returncode != 0:
        raise RuntimeError(f"llama-bench for {contender.name} failed: {finished.stderr[-2000:]}")
    return Finished(speeds(finished.stdout), seconds, traffic.of_frontend(finished.stderr) if count else None)


def arguments(model, threads, prompt, generate, repetitions=1):
    """`prompt` and `generate`: tokens, a number or several."""
    return ["-m", str(model), "-p", _list(prompt), "-n", _list(generate), "-t", str(threads), "-r", str(repetitions),
            "-o", "json"]


def _list(numbers):
    return ",".join(map(str, numbers)) if isinstance(numbers, (tuple, list)) else str(numbers)


def speeds(output):
    return {_test(row): row["avg_ts"] for row in json.loads(output)}


def _test(row):
    return f"pp{row['n_prompt']}" if row["n_prompt"] else f"tg{row['n_gen']}"
