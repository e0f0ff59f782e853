"""What two runs of one trial must have in common: all but launch numbers, times and memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from zoo.runs import live
from zoo.store import record
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

TIMES = ("_time", "_per_second", "_memory")
"""Parts of the names of metrics in which equal runs differ."""


def traces(trial: Trial, store: Store) -> dict[str, Any]:
    """Live rows, rollouts, evaluations with their responses and verdicts, and final weights."""
    folder = store.train(trial.id)
    found = record.read(folder)
    assert found is not None
    rows = live.read(folder, found)
    return {
        "state": (found.state, found.round),
        "rounds": {r: untimed(row["metrics"]) for r, row in rows.rounds.items()},
        "rollouts": {
            r: pq.read_table(store.rollouts(trial.id, r, found.branch)).to_pydict()
            for r in rows.rounds
            if r
        },
        "evaluations": _evaluations(rows.evals, store),
        "weights": _hashes(store.checkpoint(trial.id, found.round, found.branch)),
    }


def untimed(metrics: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in metrics.items() if not any(word in k for word in TIMES)}


def _evaluations(rows: tuple[dict[str, Any], ...], store: Store) -> dict[Any, Any]:
    return {
        (row["round"], row["key"]): (
            row["values"],
            pq.read_table(store.completions(row["samples"])).to_pydict(),
            pq.read_table(store.verdicts(row["scores"])).to_pydict(),
        )
        for row in rows
    }


def _hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
