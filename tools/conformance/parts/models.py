"""The demo model with other kinds of weights."""
import os
import threading

from conformance.session import ending
from harness import places

KINDS = ("f16", "q8_0", "q4_0")
_lock = threading.Lock()


def demo_model(session, kind):
    """Its path; made when it is first asked for, by llama.cpp's own program."""
    if kind == "q8_0":
        return places.MODEL
    path = session.folder / f"{places.MODEL.stem.split('-')[0]}-{kind}.gguf"
    with _lock:
        if not path.exists():
            unfinished = path.with_suffix(f".{os.getpid()}")
            finished = session.on_cpu("llama-quantize", "--allow-requantize", places.MODEL, unfinished, kind)
            if finished.status != 0:
                raise RuntimeError(f"llama-quantize: {ending(finished)}")
            unfinished.replace(path)
    return path
