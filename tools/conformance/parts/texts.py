"""llama.cpp on the demo model: text, perplexity and saved state, to the letter what the same backend makes natively."""
import dataclasses
import hashlib
import itertools
import pathlib
import re
import tempfile

from conformance.parts import models
from conformance.session import ending, repeated_until_whole
from conformance.shard import Outcome, Shard
from harness import generation, places

CORPUS = places.REPOSITORY / "docs/architecture.md"
PROMPT_CHARACTERS = 1800  # more than 512 tokens, so that each batch size makes other batches
TOKENS = 32
CONTEXT = 1024
BATCHES = (1, 32, 512)
CHUNKS = ("-c", "128", "--chunks", "6")
PERPLEXITY = re.compile(r"\[1\][-\d.,\[\]a-z]+")
ESTIMATE = re.compile(r"Final estimate: .*")


@dataclasses.dataclass(frozen=True)
class Variant:
    weights: str
    attention: str  # flash attention: on or off
    batch: int
    repack: bool

    def __str__(self):
        return f"{self.weights} fa={self.attention} b={self.batch}{' repack' if self.repack else ''}"

    def options(self, session, remote):
        where = session.remote_layers(99) if remote else session.backend.choice
        return ("-m", models.demo_model(session, self.weights), "-fa", self.attention, "-b", self.batch,
                "-ub", self.batch, "-t", session.threads, *where, *session.repacking(self.repack))


class Sides:
    """One variant natively and remotely; what each side makes is compared as it is."""

    def __init__(self, session, variant):
        self._session = session
        self._variant = variant

    def run(self, remote, program, *arguments, is_whole):
        words = (program, *self._variant.options(self._session, remote), *arguments)

        def start():
            if remote:
                return self._session.remote(*words, repack=self._variant.repack)
            return self._session.native(*words)

        finished = repeated_until_whole(start, is_whole)
        if finished.status != 0:
            raise RuntimeError(f"{'remotely' if remote else 'natively'}: {ending(finished)}")
        return finished

    def complete(self, remote, prompt, *arguments):
        return self.run(remote, "llama-completion", "-p", prompt, "-n", TOKENS, "-c", CONTEXT, "--temp", 0, "-no-cnv",
                        "--no-display-prompt", *arguments, is_whole=generation.is_whole).output


def prompt():
    return CORPUS.read_text(encoding="utf-8")[:PROMPT_CHARACTERS]


def perplexity(finished):
    """The numbers that llama-perplexity found, without its times; None as long as some are missing."""
    text = finished.output + "\n" + finished.errors
    found = PERPLEXITY.search(text), ESTIMATE.search(text)
    return tuple(match[0] for match in found) if all(found) else None


def shards(session, quick):
    kinds, attentions, batches = (("q4_0",), ("on",), (32,)) if quick else (models.KINDS, ("on", "off"), BATCHES)
    variants = [Variant(*words) for words in itertools.product(kinds, attentions, batches, session.series())]
    checks = (("text", _check_text), ("perplexity", _check_perplexity), ("state", _check_state))
    return [Shard("texts", f"{name} {variant}", lambda check=check, variant=variant: check(session, variant))
            for variant in variants for name, check in checks]


def _same(what, natively, remotely):
    if natively == remotely:
        return Outcome(cases=1)
    return Outcome(failures=(f"{what} natively {natively!r:.200}, remotely {remotely!r:.200}",))


def _check_text(session, variant):
    sides = Sides(session, variant)
    return _same("text", *(sides.complete(remote, prompt(), "--ignore-eos") for remote in (False, True)))


def _check_perplexity(session, variant):
    sides = Sides(session, variant)
    return _same("perplexity", *(perplexity(sides.run(remote, "llama-perplexity", "-f", CORPUS, *CHUNKS,
                                                      is_whole=perplexity)) for remote in (False, True)))


def _check_state(session, variant):
    """A state saved and gone on from: the files are the same bytes and the second half of the text is the same."""
    with tempfile.TemporaryDirectory(dir=session.folder) as folder:
        # One name for both, because the program prints it.
        return _same("state", *(_through_a_file(Sides(session, variant), remote, pathlib.Path(folder) / "state")
                                for remote in (False, True)))


def _through_a_file(sides, remote, file):
    first = sides.complete(remote, prompt(), "--ignore-eos", "--prompt-cache", file, "--prompt-cache-all")
    state = file.read_bytes()
    second = sides.complete(remote, "", "--ignore-eos", "--prompt-cache", file, "--prompt-cache-ro")
    file.unlink()
    return first, second, hashlib.sha256(state).hexdigest()
