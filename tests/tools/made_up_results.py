"""Results as a run of the benchmark writes them, with numbers that are easy to check."""

SIZES = (64, 65536, 256 << 20)
NODES = (100, 1300, 10000)
CONTENDERS = {"native": 1, "virtgpu": 2, "ggml-rpc": 4}  # how much slower than native


def row(nanoseconds, moved=None):
    return {"nanoseconds": [nanoseconds * 0.9, nanoseconds, nanoseconds * 1.2], "bytes": moved}


def micro_rows(slowness):
    rows = {f"{name}/{nodes}": row(100 * nodes * slowness) for name in ("unchanged_graph", "changed_graph")
            for nodes in NODES}
    rows |= {f"{name}/{size}": row(max(100, size / 10) * slowness, size) for name in ("set_bytes", "get_bytes")
             for size in SIZES}
    rows |= {f"memcpy/{size}": row(max(10, size / 10), size) for size in SIZES}
    return rows | {"round_trip_awake": row(1000 * slowness), "round_trip_asleep": row(20000 * slowness),
                   "unchanged_graph_asleep/1300": row(130000 * slowness)}


def speeds(model, native, variant="standard"):
    return [{"model": model, "variant": variant, "test": test, "contender": name,
             "samples": [native * factor, native * factor * 1.02]}
            for test in ("pp512", "tg128")
            for name, factor in (("native", 1), ("virtgpu", 0.98), ("ggml-rpc", 0.9))]


def counters(doorbells):
    return {"graphs": 1.0, "bytes": 120.0, "waits": 1.0, "doorbells": doorbells, "messages": 1 + doorbells}


def guest(doorbells):
    return {"per token": {"frontend": counters(doorbells), "host": counters(doorbells)},
            "tokens per second": {"virtgpu": [20.0, 22.0], "the guest's own CPU": [10.0, 11.0]},
            "single things": {"set_bytes/4194304": {"nanoseconds": [4e6], "bytes": 4194304}}}


def everything():
    micro = {name: micro_rows(slowness) for name, slowness in CONTENDERS.items()}
    tokens = {mode: {"frontend": counters(doorbells), "host": counters(doorbells)}
              for mode, doorbells in (("spare", 0.01), ("full", 1.0))}
    return {
        "machine": {"processor": "a processor", "processors": 4, "kernel": "6.18", "threads": 3, "rounds": 3,
                    "quick": False},
        "measured": {},
        "micro": {"spare": micro, "full": micro},
        "counts": {"unchanged graph": counters(0), "request, all asleep": counters(1), "tokens": tokens},
        "idle": {"native": 0.0, "virtgpu": 0.01, "ggml-rpc": 0.0},
        "changed graph": {"guest": [80000, 90000], "host": [310000, 320000]},
        "tokens": [*speeds("tiny.gguf", 2500, "all processors"), *speeds("small.gguf", 1500), *speeds("large.gguf", 80), *speeds("tiny.gguf", 3000)],
        "loading": {"model": "large.gguf", "seconds": {name: [1.0 * slowness] * 3
                                                       for name, slowness in CONTENDERS.items()}},
        "virtual machine": {"accelerator": "tcg", "processors": 2,
                            "devices": {kind: guest(doorbells) for kind, doorbells in (("whole", 1.0), ("windowless", 0), ("legacy", 2.0))}},
        "endurance": {"tokens": 100000, "nanoseconds": [400000.0] * 1000,
                      "memory_kib": {"application": [1000] * 50, "ggml-virtgpu-worker 12": [2000] * 50}},
    }
