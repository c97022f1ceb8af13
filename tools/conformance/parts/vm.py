"""A part of the same in a virtual machine: other ways for the bytes, the same answers."""
from conformance.parts import archs, ops
from conformance.session import ending, repeated_until_whole
from conformance.shard import Outcome, Shard
from harness import generation, image, operations, places
from harness.guest import Guest

SECONDS = 1800  # for one command, where processors are emulated
ARCHS = ("llama", "phi3", "gemma2", "mamba", "qwen3", "deepseek2")
REQUEST = generation.Request(tokens=48)


def shards(session, quick):
    if quick:  # the tests with virtual machines are in `make test` as they are
        return []
    folder = image.build(places.frontend(), programs=[archs.program()])

    def shard(name, check):
        return Shard("vm", name, lambda: _in_guest(session, folder, name, check))

    return [*(shard(op, lambda guest, op=op, parameters=parameters: _check_op(session, guest, op, parameters))
              for op, parameters in operations.SAMPLES),
            shard("architectures", _check_archs), shard("text", lambda guest: _check_text(session, guest))]


def _in_guest(session, folder, name, check):
    logs = session.folder / "logs/vm" / name
    arguments = ("--no-repack",) if len(session.series()) > 1 else ()
    with session.host_program(logs, "--socket-path", arguments) as host:
        with Guest(folder, logs, devices=[host.socket]) as guest:
            return check(guest)


def _check_op(session, guest, op, parameters):
    choice = ("-o", op, "-p", parameters)
    native = session.native(ops.program(), "support", "-b", session.backend.device, "--output", "csv", *choice)
    expected = ops.supported(native.output)
    if not expected:
        raise RuntimeError(f"no case of {op} has these parameters: {ending(native)}")
    finished = guest.run(f"test-backend-ops test -b {generation.DEVICE} -o {op} -p '{parameters}'", SECONDS)
    return ops.tested(finished, expected)


def _check_archs(guest):
    cases, failures = 0, []
    for name in ARCHS:
        command = f"test-llama-archs -a {name} -b {generation.DEVICE} -s 1"
        finished = repeated_until_whole(lambda command=command: guest.run(command, SECONDS), archs.is_whole)
        table = archs.rows(finished.output)
        failures += archs.table_failures(table, {})
        if finished.status != 0 or not table:
            failures.append(f"{name}: {ending(finished)}")
        cases += len(table)
    return Outcome(cases, tuple(failures))


def _check_text(session, guest):
    finished = generation.whole(lambda: guest.run(REQUEST.guest_command(), SECONDS))
    words = ("llama-completion", *REQUEST.arguments(places.MODEL), "-t", session.threads, *session.backend.choice)
    expected = generation.whole(lambda: session.native(*words))
    if finished.status or expected.status:
        return Outcome(failures=tuple(map(ending, (finished, expected))))
    if finished.output != expected.output:
        return Outcome(failures=(f"natively {expected.output!r}, in the guest {finished.output!r}",))
    return Outcome(cases=1)
