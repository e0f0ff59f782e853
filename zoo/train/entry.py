"""The trial process: one JSON file in, one record out, exit status 0 (done), 1 (failed), 130 or 143
(signals).

The launcher owns the write end of this process's standard input. When that closes, the launcher has
ended, and the trial ends its whole process group: no orphan occupies a core or a GPU.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import traceback
from pathlib import Path

from zoo.store.run_store import full_text, is_full
from zoo.train.endings import Followed, Interrupted
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.train.session_lifecycle import open_session
from zoo.train.signals import Requests
from zoo.trainer.team import place_in_team


def run(path: Path, requests: Requests | None = None) -> int:
    """Run the trial that `path` (a `trial.json`) describes; returns the exit status. `requests`:
    the signals of this process, where it is the trial's own.

    Raises:
        OSError: the disk is full, so that the record may be missing.
    """
    job = Job.read(path)
    try:
        with open_session(job) as session:
            if requests is not None:
                requests.session = session
            _work(session)
    except Interrupted as interrupted:
        return interrupted.status
    except Exception as error:
        if is_full(error):
            raise
        traceback.print_exc()
        return 1
    return 0


def _work(session: Session) -> None:
    """Train, or run the missing evaluations of finished training, if any."""
    if session.trial.simulated:
        from zoo.train.simulated import measure, train
    else:
        from zoo.train.grpo import measure, train
    found = session.finished()
    if found is None or found.lineage == session.job.retrain or session.extended() is not None:
        train(session)
        session.write_record("done")
    elif missing := session.missing(found):
        session.reopen(found)
        session.phase("evaluating")
        measure(session, missing)
        session.phase(found.state)


def follow(path: Path, rank: int) -> int:
    """Be another process than the first of a trial that has several: it reads the same
    `trial.json`, takes part in what needs all, and writes nothing but its log."""
    job = Job.read(path)
    try:
        if job.trial.simulated:
            from zoo.train import simulated

            simulated.follow(job.trial, rank)
        else:
            from zoo.train import grpo

            grpo.follow(job)
    except Followed:
        return 0
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def end_with_launcher() -> None:
    """Wait for the launcher's end of the pipe to close, then end the whole group."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _lead(path: Path) -> int:
    requests = Requests()
    requests.install()
    return run(path, requests)


def _follow(path: Path, rank: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the first process decides how the round ends
    return follow(path, rank)


def main() -> None:
    """Entry point of the process."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m zoo.train LAUNCH/trial.json")
    if os.environ.get("ZOO_LAUNCHER_PIPE") == "1":
        threading.Thread(target=end_with_launcher, daemon=True).start()
    path, (rank, _) = Path(sys.argv[1]), place_in_team()
    try:
        status = _follow(path, rank) if rank else _lead(path)
    except OSError as error:
        print(f"zoo: {full_text(error, path.parent)}", file=sys.stderr)
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # engines leave threads behind that may hang a normal exit
