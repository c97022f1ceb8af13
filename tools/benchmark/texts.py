"""The text that each model writes at temperature 0: natively and through us, word for word."""
import sys

from benchmark import contenders, models
from harness import generation, places
from conformance import session

TOKENS = 64
SECONDS = 300


def measure(settings):
    """[{"model", "variant", "characters", "identical"}]"""
    rows = []
    with contenders.virtgpu(settings.threads, settings.logs / "texts", backend=settings.backend) as ours:
        for model in models.chosen(settings):
            native, remote = (_text(contender, model, settings)
                              for contender in (contenders.native(backend=settings.backend), ours))
            print(f"text of {model.name}: {'identical' if native == remote else 'DIFFERENT'}", file=sys.stderr)
            rows.append({"model": model.name, "variant": "text", "characters": len(native),
                         "identical": native == remote, "native": native, "virtgpu": remote})
    return rows


def _text(contender, model, settings):
    request = generation.Request(TOKENS, model=model, repack=False, options=("-t", str(settings.threads)))
    command = [*places.command_for("llama-completion"), *request.arguments(), *contender.arguments]
    finished = session.repeated_until_whole(lambda: session.run(command, contender.environment(), SECONDS),
                                            generation.is_whole)
    if finished.status != 0:
        raise RuntimeError(f"llama-completion for {contender.name} failed: {session.ending(finished)}")
    return finished.output
