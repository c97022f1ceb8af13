"""Models with random weights, made when they are first needed."""
import concurrent.futures
import subprocess

from harness import places

PROGRAM = "tools/benchmark/virtgpu_make_model"
KINDS = {"cpu": (("15m", "f16"), ("110m", "q8_0"), ("1b", "q4_0")),
         "cuda": (("135m", "f16"), ("1b", "f16"), ("8b", "q4_K"), ("moe", "q8_0"))}


def chosen(settings):
    if settings.models:
        return list(settings.models)
    return [places.MODEL, *([] if settings.quick else _random_models(settings))]


def largest(settings):
    """The one to load; of a GPU's models the 8 B one, which is the largest that computes all of its weights."""
    models = chosen(settings)
    usual = [path for path in models if "8b" in path.name]
    return usual[0] if usual else max(models, key=lambda path: path.stat().st_size)


def of_many_clients(settings):
    """One that fits the device several times and whose tokens take long enough."""
    models = sorted(chosen(settings), key=lambda path: path.stat().st_size)
    return models[min(1, len(models) - 1)]


def _random_models(settings):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(lambda kind: _made(settings.model_folder, *kind), KINDS[settings.backend]))


def _made(folder, size, weights):
    path = folder / f"random-{size}-{weights}.gguf"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        half_done = path.with_suffix(".part")
        subprocess.run([str(places.build_folder() / PROGRAM), str(half_done), size, weights], check=True)
        half_done.rename(path)
    return path
