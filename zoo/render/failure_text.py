"""Why trials of a sweep failed, for `zoo status`: class, reason, the last lines of the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from zoo.errors import printable
from zoo.planning.study import shown
from zoo.runs.sweep_status import SweepStatus, TrialStatus
from zoo.store.log_tail import log_tail
from zoo.store.run_store import Store

MOST = 5
"""Failed trials whose logs are quoted."""
LOG_LINES = 3
WIDTH = 160


def failure_lines(status: SweepStatus, names: Mapping[str, str], store: Store) -> Iterator[str]:
    """The reason of each failed trial, with the end of its log; of many, the first few."""
    failed = [one for one in status.trials if one.state == "failed"]
    for one in failed[:MOST]:
        yield f"! {names[one.trial.id]} [{one.failure}]: {_reason(one)}"
        path = store.train(one.trial.id) / "log.txt"
        try:
            tail = log_tail(path, LOG_LINES)
        except OSError:
            continue  # a simulated trial has none
        yield from (f"  | {printable(line)[:WIDTH]}".rstrip() for line in tail.splitlines())
        yield f"  log: {shown(path)}"
    if len(failed) > MOST:
        yield f"  and {len(failed) - MOST} more failed"


def _reason(one: TrialStatus) -> str:
    line = (one.message.strip().splitlines() or ["no reason given"])[0]
    return printable(line.removesuffix(f" [{one.failure}]"))[:WIDTH]
