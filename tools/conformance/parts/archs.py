"""llama.cpp's own test of all architectures, and the same models with their layers split between device and processor."""
import pathlib
import re
import shutil
import tempfile

from conformance.session import ending, repeated_until_whole
from conformance.shard import Outcome, Shard
from harness import places

PROGRAM = f"usr/libexec/{places.TRIPLET}/llama.cpp-tests/test-llama-archs"
SEED = ("-s", "1")
QUICK = ("llama", "mamba", "phi3")
PROMPT = "the quick brown fox jumps over the lazy dog and then the dog jumps over the fox"
SPLITS = (1, 99)  # layers on the device; the models have two or three
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
LISTED = re.compile(r"(?:Saving (\S+) model|: (\S+) model \(\w+\) is unsupported)")
COLUMNS = ("NMSE", "roundtrip", "mixed batch")
REMOTE = " (remote)"
PIECES = re.compile(r"graph.*: nodes = .*, splits = (\d+(?: / \d+)?),")


def program():
    return str(places.root() / PROGRAM)


def is_whole(finished):
    return "Summary: " in finished.output


def rows(text):
    """(architecture, configuration) -> {device: its words for COLUMNS}, from the program's table."""
    found = {}
    for line in COLOUR.sub("", text).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) >= 3 and cells[2] in ("Dense", "MoE"):  # fewer where the program died
            found.setdefault((cells[0], cells[2]), {})[cells[1]] = tuple(cell.split()[0] for cell in cells[3:] if cell)
    return found


def table_failures(table, native):
    """Nothing failed that does not fail natively in the row of the same device (lavapipe gets some models wrong by
    itself), and the remote device did all that its host's does. A row that `native` has not has to be well."""
    for model, devices in table.items():
        if sum(device.endswith(REMOTE) for device in devices) != 1:
            yield f"{' '.join(model)}: not one remote device, but of {', '.join(devices)}"
        for device, words in devices.items():
            expected = native.get(model, {}).get(device.removesuffix(REMOTE), ("OK",) * len(COLUMNS))
            # Tensors split over all GPUs ("Meta"): llama.cpp leaves out what it cannot do that way.
            allowed = ("OK", "SKIP") if device == "Meta" else ("OK",)
            yield from _row_failures(f"{' '.join(model)} on {device}", words, expected, allowed)


def _row_failures(where, words, expected, allowed):
    if len(words) < len(expected):
        yield f"{where}: it ended here"
    for column, word, native in zip(COLUMNS, words, expected):
        if word != native and word not in allowed:
            yield f"{where}: {column} {word}, natively {native}"


def names(text):
    """The architectures, from what the program says while it saves a model of each."""
    return list(dict.fromkeys(match[1] or match[2] for match in LISTED.finditer(text)))


def shards(session, quick):
    chosen = QUICK if quick else _all_names(session)
    return [Shard("archs", name, lambda name=name: _check(session, name)) for name in chosen]


def _all_names(session):
    with tempfile.TemporaryDirectory(dir=session.folder) as folder:
        finished = session.on_cpu(program(), *SEED, "-o", folder)
    found = names(finished.output + finished.errors)
    if finished.status != 0 or not found:
        raise RuntimeError(f"test-llama-archs -o: {ending(finished)}")
    return found


def _check(session, name):
    # Without -b, for then it also splits the tensors over all GPUs that there are ("Meta"), which is ours.
    finished = _tested(session.remote, name)
    table = rows(finished.output)
    failures = list(table_failures(table, _native_table(session, name, table)))
    if failures:
        failures.append(ending(finished))
    computed = [words for devices in table.values() for device, words in devices.items()
                if device.endswith(REMOTE) and words[:1] == ("OK",)]
    if failures or not computed:  # llama.cpp skips some as unfinished
        return Outcome(len(computed), tuple(failures))
    split = _check_splits(session, name)
    return Outcome(len(computed) + split.cases, split.failures)


def _native_table(session, name, table):
    """The rows of all native devices. The processor's are in every table; where it is the host's, there are no others."""
    if session.backend.device == "CPU":
        return {model: {device: words for device, words in devices.items()
                        if not device.endswith(REMOTE) and device != "Meta"} for model, devices in table.items()}
    return rows(_tested(session.native, name).output)


def _tested(run, name):
    """1 is the program's status when a model failed; lavapipe's do, and the table is whole all the same."""
    return repeated_until_whole(lambda: run(program(), "-a", name, *SEED), is_whole, statuses=(0, 1))


def _check_splits(session, name):
    """Logits of the saved models, to the last bit what the host's backend computes natively with the same split."""
    folder = tempfile.mkdtemp(dir=session.folder)
    cases, failures = 0, []
    try:
        session.on_cpu(program(), "-a", f"^{re.escape(name)}$", *SEED, "-o", folder)
        for model in sorted(pathlib.Path(folder).glob("*.gguf")):
            for layers in SPLITS:
                difference = _difference(session, model, layers)
                cases += difference is None
                failures += [difference] if difference else []
    finally:
        shutil.rmtree(folder)
    return Outcome(cases, tuple(failures))


def _difference(session, model, layers):
    def logits(run, choice):
        file = model.with_suffix(".logits")
        file.unlink(missing_ok=True)
        finished = run("llama-results", "-m", model, "-o", file, "-p", PROMPT, "-t", session.threads, "-fit", "off",
                       "-v", *choice, *session.repacking(session.series()[-1]))
        return finished, file.read_bytes() if finished.status == 0 else None

    natively, expected = logits(session.native, session.backend.native_layers(layers))
    if natively.status != 0:
        return f"{model.name}, {layers} layers, natively: {ending(natively)}"
    remotely, actual = logits(session.remote, session.remote_layers(layers))
    if remotely.status != 0:
        return f"{model.name}, {layers} layers, remotely: {ending(remotely)}"
    where = f"{model.name}, {layers} layers on the device"
    if actual != expected:
        return f"{where}: other logits than natively"
    # Natively a processor's graph is whole, whatever is where.
    return None if session.backend.device == "CPU" else pieces_difference(where, natively.errors, remotely.errors)


def pieces_difference(where, native_log, remote_log):
    """llama.cpp cuts a graph where a weight lies elsewhere, so as many pieces mean the same places for the weights."""
    natively, remotely = (PIECES.findall(log) for log in (native_log, remote_log))
    if natively and natively == remotely:
        return None
    return f"{where}: the graph is cut into {remotely} pieces, natively into {natively}"
