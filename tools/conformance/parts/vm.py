"""A part of the same in a virtual machine: other ways for the bytes, the same answers."""
from conformance.parts import archs, ops
from conformance.session import ending, repeated_until_whole
from conformance.shard import Outcome, Shard
from harness import generation, image, places
from harness.guest import Guest

SECONDS = 1800  # for one command, where processors are emulated
OPS = (  # op and parameters: a guest can be an emulated one
    ("ADD", r"nr=\[1,1,1,1\]|nf=16"),
    ("MUL_MAT", r"type_a=(f32|f16|q8_0|q4_K|iq2_xxs),type_b=f32,m=16,n=(1|8|16),k=256,"),
    ("ROPE", r"type=f32,ne_a=\[128,(32|40),2,1\],.*v=0"),
    ("SOFT_MAX", r"ne=\[(16,16|32,2),32,1\]"),
    ("GET_ROWS", r"type=(f32|q4_0|q8_0|i32),n=256,m=80000|n=256,m=5"),
    ("SET_ROWS", r"type_dst=(f32|q8_0|f16),type_idx=i64"),
    ("FLASH_ATTN_EXT", r"hsk=64,hsv=64,.*kv=113,nb=3,mask=1,.*type_K=(f16|q8_0)"),
)
ARCHS = ("llama", "phi3", "gemma2", "mamba", "qwen3", "deepseek2")
REQUEST = generation.Request(tokens=48)


def shards(session, quick):
    if quick:  # the tests with virtual machines are in `make test` as they are
        return []
    folder = image.build(places.frontend(), programs=[archs.program()])

    def shard(name, check):
        return Shard("vm", name, lambda: _in_guest(session, folder, name, check))

    return [*(shard(op, lambda guest, op=op, parameters=parameters: _check_op(session, guest, op, parameters))
              for op, parameters in OPS),
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
