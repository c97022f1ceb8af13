"""Models with random weights, made when they are first needed."""
import subprocess

from harness import places

PROGRAM = "tools/benchmark/virtgpu_make_model"
KINDS = (("15m", "f16"), ("110m", "q8_0"), ("1b", "q4_0"))


def chosen(settings):
    if settings.models:
        return list(settings.models)
    return [places.MODEL, *([] if settings.quick else _random_models(settings.folder))]


def largest(settings):
    return max(chosen(settings), key=lambda path: path.stat().st_size)


def _random_models(folder):
    return [_made(folder / f"random-{size}-{weights}.gguf", size, weights) for size, weights in KINDS]


def _made(path, size, weights):
    if not path.exists():
        half_done = path.with_suffix(".part")
        subprocess.run([str(places.build_folder() / PROGRAM), str(half_done), size, weights], check=True)
        half_done.rename(path)
    return path
