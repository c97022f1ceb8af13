"""What guest and host wrote down of a run: tools/trace puts it on one time line, this reads it."""
import json
import subprocess

from harness import places


def merged(folder):
    """All events below `folder`; times are microseconds."""
    finished = subprocess.run([places.REPOSITORY / "tools/trace", folder], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(finished.stdout)["traceEvents"]


def processes(events, name):
    """Numbers of the processes whose name begins so: "guest" or "host"."""
    return {event["pid"] for event in events if event["ph"] == "M" and event["args"]["name"].startswith(name)}


def spans(events, pids, names, ring):
    """(sequence, begin, end) of the events with these names on one ring, in the order of their beginnings."""
    found = [(event["args"]["sequence"], event["ts"], event["ts"] + event["dur"]) for event in events
             if event["pid"] in pids and event["name"] in names and event.get("tid") == ring]
    return sorted(found, key=lambda span: span[1])
