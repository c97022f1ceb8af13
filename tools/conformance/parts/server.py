"""llama-server with four slots: many requests at once are all answered, and answered right."""
import concurrent.futures
import contextlib
import json
import os
import socket
import urllib.error
import urllib.request

from conformance.parts import models
from conformance.shard import Outcome, Shard
from harness import places, processes

SLOTS = 4
CLIENTS = 8  # more than slots, so that some requests wait for one
REQUESTS, QUICK_REQUESTS = 200, 24
ALONE, QUICK_ALONE = 40, 8  # of these, that many are also sent one at a time
TOKENS = 24
SPEAKERS = ("ROMEO", "JULIET", "KING HENRY V", "First Citizen", "Nurse")
ANSWER_SECONDS = 900  # lavapipe, with the other requests before it

# Not through a proxy that the environment names.
HERE = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def bodies(count):
    """Requests of several lengths, each with one right answer, none helped by what a slot remembers."""
    return [{"prompt": f"{SPEAKERS[n % len(SPEAKERS)]}:\n" + "Speak, speak, my lord. " * (n % 7) + f"{n} times I",
             "n_predict": TOKENS, "temperature": 0, "seed": 1, "ignore_eos": True, "cache_prompt": False}
            for n in range(count)]


def judge(alone, together):
    """Failures, from the answers one at a time and at once, each {"native": [...], "remote": [...]}.

    One at a time the batches have the same shape on both sides, and so the answers are the same to the letter. At once,
    which requests share a batch is a matter of time, and ggml may add in another order in another shape of batch: the
    answers need only be those of one at a time where native llama-server's are, too.
    """
    for number, (native, remote) in enumerate(zip(alone["native"], alone["remote"])):
        if native != remote:
            yield f"request {number} alone: natively {native!r}, remotely {remote!r}"

    def changed(side):
        return [number for number, text in enumerate(alone[side]) if together[side][number] != text]

    if changed("remote") and not changed("native"):
        yield f"answers that others at the same time changed, which they do not natively: {changed('remote')}"


def shards(session, quick):
    return [Shard("server", f"{SLOTS} slots{' repack' if repack else ''}",
                  lambda repack=repack: _check(session, repack, quick)) for repack in session.series()]


def _check(session, repack, quick):
    requests = bodies(QUICK_REQUESTS if quick else REQUESTS)
    alone, together = {}, {}
    for side in ("native", "remote"):
        with _server(session, side, repack) as url:
            alone[side] = [_answer(url, body) for body in requests[:QUICK_ALONE if quick else ALONE]]
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                together[side] = list(pool.map(lambda body, url=url: _answer(url, body), requests))
    failures = list(judge(alone, together))
    return Outcome(len(together["remote"]) + len(alone["remote"]) - len(failures), tuple(failures))


def _answer(url, body):
    """The text; raises for anything but a whole answer."""
    request = urllib.request.Request(f"{url}/completion", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with HERE.open(request, timeout=ANSWER_SECONDS) as response:
        answer = json.load(response)
    if answer["tokens_predicted"] != body["n_predict"]:
        raise RuntimeError(f"{answer['tokens_predicted']} tokens instead of {body['n_predict']}: {body}")
    return answer["content"]


@contextlib.contextmanager
def _server(session, side, repack):
    """The URL of a llama-server."""
    is_native = side == "native"
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    where = session.backend.choice if is_native else session.remote_layers(99)
    environment = session.native_environment() if is_native else session.remote_environment(repack)
    command = [*places.command_for("llama-server"), "-m", models.demo_model(session, "q4_0"), "--port", port,
               "-np", SLOTS, "-c", 512 * SLOTS, "-t", session.threads, "-fit", "off", *where, *session.repacking(repack)]
    log = session.folder / "logs" / f"server-{side}-{os.getpid()}-{int(repack)}.log"
    log.unlink(missing_ok=True)
    process = processes.start(command, log, environment=environment)
    try:
        processes.wait_until(lambda: process.poll() is not None or _is_healthy(port), 120, "llama-server's start")
        if process.poll() is not None:
            raise RuntimeError(f"llama-server ended: {log.read_text(errors='replace')[-1000:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.end(process)


def _is_healthy(port):
    try:
        with HERE.open(f"http://127.0.0.1:{port}/health", timeout=5) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
