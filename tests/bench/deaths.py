"""Seconds until nothing of a sweep through Ray runs any more, after one of its processes is killed.

Two simulated trials that answer no signal run on Ray; then SIGKILL hits the driver, a server of
Ray's, the Ray worker of a trial, or a trial. Of the last two it is the time until nothing of that
trial's launch is left: the sweep goes on. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.support import sweeps  # noqa: E402
from tests.support.simulated import write_manifest  # noqa: E402
from zoo.launching import processes  # noqa: E402

SERVERS = {"gcs": "gcs_server", "raylet": "/raylet/raylet", "agent": "ray::DashboardAgent"}
WHOLE = ("driver", *SERVERS)
PATIENCE_S = 120.0


def note(folder: Path) -> processes.ProcessStamp:
    """Who runs one of the trials."""
    path = next((folder / "runs/train").glob("*/launches/*/process.json"))
    return processes.ProcessStamp(**json.loads(path.read_text()))


def victim(folder: Path, driver: int, what: str) -> int:
    """The process to kill."""
    if what == "driver":
        return driver
    if what in SERVERS:
        found = sweeps.marked(folder)
        return next(pid for pid, said in found if SERVERS[what] in said.split(" --")[0])
    return note(folder).launcher if what == "worker" else note(folder).pid


def seconds_until(gone: Callable[[], bool]) -> float | None:
    """How long it takes; None = longer than anybody waits."""
    begun = time.monotonic()
    while not gone():
        if time.monotonic() - begun > PATIENCE_S:
            return None
        time.sleep(0.02)
    return round(time.monotonic() - begun, 2)


def death_of(what: str) -> float | None:
    """Seconds until what has to end has ended."""
    with tempfile.TemporaryDirectory(prefix="deaths") as name:
        folder = Path(name)
        write_manifest(folder, models="pocket-llama", rounds=4)
        driver = sweeps.start(folder, "--executor", "ray", "--bare", ZOO_SIMULATE="deaf:2")
        sweeps.wait_for(lambda: 2 in sweeps.rounds(folder))
        token = note(folder).token
        os.kill(victim(folder, driver.pid, what), signal.SIGKILL)
        if what in WHOLE:
            found = seconds_until(lambda: driver.poll() is not None and not sweeps.marked(folder))
        else:
            found = seconds_until(lambda: not processes.of_launch(token))
        driver.kill()
        driver.wait()
        sweeps.left_running(folder, PATIENCE_S)
    return found


def main() -> None:
    """Measure and print."""
    found = {what: death_of(what) for what in (*WHOLE, "worker", "trial")}
    for what, seconds in found.items():
        print(f"{what:<8} {seconds} s")
    print(json.dumps({f"{what}_s": seconds for what, seconds in found.items()}))


if __name__ == "__main__":
    main()
