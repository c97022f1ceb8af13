"""Runs shards side by side, writes down how each ended, and says so."""
import concurrent.futures
import dataclasses
import threading
import time
import traceback

from conformance.shard import Outcome

SHOWN_FAILURES = 3  # of one shard, while it runs; the journal has all


@dataclasses.dataclass
class Totals:
    part: str
    shards: int = 0
    repeated: int = 0  # passed in an earlier run
    failed: int = 0
    cases: int = 0
    seconds: float = 0.0  # of all shards together, as if one after the other
    failures: list = dataclasses.field(default_factory=list)

    def add(self, name, line, repeated=False):
        self.shards += 1
        self.repeated += repeated
        self.failed += bool(line["failures"])
        self.cases += line["cases"]
        self.seconds += line["seconds"]
        self.failures += [f"{self.part} {name}: {failure}" for failure in line["failures"]]


class Runner:
    def __init__(self, journal, jobs, say=print):
        self._journal = journal
        self._jobs = jobs
        self._say = say
        self._lock = threading.Lock()
        self._done = 0

    def run(self, shards):
        """Totals by part, in the order of `shards`."""
        totals = {shard.part: Totals(shard.part) for shard in shards}
        passed = {part: self._journal.passed(part) for part in totals}
        waiting = []
        for shard in shards:
            line = passed[shard.part].get(shard.name)
            if line:
                totals[shard.part].add(shard.name, line, repeated=True)
            else:
                waiting.append(shard)
        if len(waiting) < len(shards):
            self._say(f"{len(shards) - len(waiting)} of {len(shards)} shards have passed before (--again repeats them)")
        self._run_all(waiting, totals)
        return list(totals.values())

    def _run_all(self, shards, totals):
        pool = concurrent.futures.ThreadPoolExecutor(self._jobs)
        try:
            jobs = [pool.submit(self._run_one, shard, len(shards), totals) for shard in shards]
            for job in concurrent.futures.as_completed(jobs):
                job.result()
        finally:  # interrupted: what has not begun never does
            pool.shutdown(cancel_futures=True)

    def _run_one(self, shard, count, totals):
        started = time.monotonic()
        try:
            outcome = shard.run()
        except Exception as error:  # whatever it is, it is this shard's failure, and the others go on
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__} in {where.name}: {error}"
            outcome = Outcome(failures=(text,))
        seconds = time.monotonic() - started
        with self._lock:
            line = self._journal.write(shard, outcome, seconds)
            totals[shard.part].add(shard.name, line)
            self._done += 1
            self._say(f"[{self._done:>4}/{count}] {shard.part:<8} {shard.name:<32} "
                      f"{'passed' if outcome.passed else 'FAILED'} {outcome.cases:>6} cases {seconds:6.1f} s")
            for failure in outcome.failures[:SHOWN_FAILURES]:
                self._say(f"    {failure}")
