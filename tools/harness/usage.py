"""What processes use: memory and processor time, by /proc."""
import os
import pathlib

OWN = ("Private_Dirty:", "Swap:")


def memory_kib(pid, fields=OWN):
    """KiB of memory, by default of that which the process alone has; ("Rss:",) for all that is mapped and there."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(fields))


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def processor_seconds(pid):
    """What the process' threads that are alive have computed so far."""
    # Of nanoseconds, where /proc/PID/stat counts in hundredths of a second.
    return sum(_scheduled(task) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def _scheduled(task):
    try:
        return int((task / "schedstat").read_text(encoding="ascii").split()[0])
    except OSError:  # the thread has just ended
        return 0
