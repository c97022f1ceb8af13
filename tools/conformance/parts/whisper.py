"""whisper.cpp, another program on the same devices: random weights, the same words as natively."""
import os
import re

from conformance import whisper_model
from conformance.session import ending
from conformance.shard import Outcome, Shard
from harness import generation, places

PROGRAM = "usr/bin/whisper-cli"
OPTIONS = ("-nf", "-bs", "1", "-bo", "1", "-tp", "0")  # one right answer: no beams, no second try at a temperature
USED = re.compile(r"using (\S+) backend")


def is_installed():
    return (places.root() / PROGRAM).exists()


def failures(natively, remotely):
    for side, finished in (("natively", natively), ("remotely", remotely)):
        if finished.status != 0:
            yield f"{side}: {ending(finished)}"
    used = USED.findall(remotely.errors)
    if generation.DEVICE not in used:
        yield f"it computed on {used or 'the processor'} instead of {generation.DEVICE}"
    if natively.output != remotely.output:
        yield f"words: natively {natively.output!r:.200}, remotely {remotely.output!r:.200}"


def shards(session, quick):
    if not is_installed():
        if quick:
            return []
        raise RuntimeError("whisper-cli is missing; `tools/bootstrap/sysroot --with conformance` unpacks it")
    return [Shard("whisper", f"flash attention {word}", lambda option=option: _check(session, option))
            for word, option in (("on", "-fa"), ("off", "-nfa"))]


def _check(session, option):
    model, sound = (session.folder / f"whisper-{option}-{os.getpid()}{suffix}" for suffix in (".bin", ".wav"))
    try:
        whisper_model.write_model(model)
        whisper_model.write_sound(sound)
        words = ("whisper-cli", "-m", model, "-f", sound, "-t", session.threads, option, *OPTIONS)
        cpu = ("-ng",) if session.backend.device == "CPU" else ()
        found = tuple(failures(session.native(*words, *cpu), session.remote(*words)))
    finally:
        model.unlink(missing_ok=True)
        sound.unlink(missing_ok=True)
    return Outcome(cases=int(not found), failures=found)
