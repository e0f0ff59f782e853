"""What a trial's folder says: its state, its metrics by round, its evaluations, its completions.

One reading for everybody who looks at results (the report, the MLflow mirror), so that they cannot
disagree. Reads the run store and nothing else; knows no statistics and no layout. Which rows of the
journals count is said by `zoo.track.live`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.manifest.trial import ALL, Asked, Trial
from zoo.track import journal, live, record, regraded
from zoo.track.record import Record
from zoo.track.regraded import Standing
from zoo.track.store import Store

OutcomeState = Literal[
    "done", "stopped", "incomplete", "failed", "preempted", "unfinished", "missing"
]
"""`stopped`: ended for a reason that is an outcome, such as `diverged`; `incomplete`: trained to
its end, but rounds or an evaluation that the manifest asks for are missing; `unfinished`: started,
no record of the newest launch.
"""


@dataclass(frozen=True)
class Measured:
    """One benchmark under one decoding at one round; values by measure (`acc`, ...)."""

    round: int
    benchmark: str
    decoding: str
    problems: int | None
    each: int
    """Responses a problem."""
    n: int
    """Responses."""
    values: dict[str, float]
    sample_id: str
    score_id: str
    grader: str
    """Version of the grader that made the scores."""
    audited: int = 0
    """Answers that were put to stock math-verify and decided by it."""

    @property
    def asked(self) -> Asked:
        """As `Evaluation.asked`."""
        return self.benchmark, self.decoding, self.problems, self.each

    @property
    def size(self) -> int:
        """As `Evaluation.size`."""
        return (self.problems or ALL) * self.each

    def rests_on(self, measure: str) -> int:
        """How many responses a measure is of: all, but an audit is of a sample."""
        return self.audited if measure == "audit_disagreement" else self.n

    def metric(self, measure: str) -> str:
        """The metric's name everywhere: `eval/<benchmark>/<measure>/<decoding>`."""
        return f"eval/{self.benchmark}/{measure}/{self.decoding}"


@dataclass(frozen=True)
class Outcome:
    """A trial and what became of it."""

    trial: Trial
    state: OutcomeState
    lineage: int
    """The lineage that the numbers are of; 0 = training never began."""
    record: Record | None
    rounds: dict[int, dict[str, float]]
    """Round -> training metrics (`train/...`), ascending; no `eval/...` and nothing that is not
    finite.
    """
    times: dict[int, float]
    """Round -> when it ended, seconds since the epoch."""
    measured: tuple[Measured, ...]
    regraded: int
    """Scores that later ones of the same samples replaced."""
    standing: Standing
    folder: Path

    @property
    def reached(self) -> int:
        """The last round that was completed."""
        return max([*self.rounds, self.record.round if self.record else 0], default=0)

    @property
    def made_up(self) -> bool:
        """True for simulated trials and rehearsals: their numbers say nothing about the models
        named.
        """
        record = self.record
        if self.trial.simulated or self.trial.rehearsal:
            return True
        return bool(record and (record.simulated or record.rehearsal))

    def best(self, round_: int, benchmark: str, decoding: str) -> Measured | None:
        """The evaluation with the most problems at that round, or None."""
        found = [
            m
            for m in self.measured
            if (m.round, m.benchmark, m.decoding) == (round_, benchmark, decoding)
        ]
        return max(found, key=lambda m: m.n, default=None)

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the trial's log."""
        try:
            with (self.folder / "log.txt").open("rb") as stream:
                stream.seek(max(0, stream.seek(0, 2) - 16384))
                text = stream.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.replace("\r", "\n").splitlines()[-lines:])


def load(trial: Trial, store: Store) -> Outcome:
    """Read a trial's folder.

    Raises:
        StateError: a journal or record that cannot be read.
    """
    folder = store.train(trial.id)
    found = record.read(folder)
    rows = journal.read(folder / "metrics.jsonl")
    evals = journal.read(folder / "evals.jsonl")
    rows_of = live.of_rows(rows, evals, found)
    measured = measurements(rows_of.evals)
    return Outcome(
        trial=trial,
        state=_state(trial, found, measured, folder),
        lineage=rows_of.lineage,
        record=found,
        rounds={r: finite(row["metrics"], "eval/") for r, row in rows_of.rounds.items()},
        times={r: row["time"] for r, row in rows_of.rounds.items()},
        measured=measured,
        regraded=_replaced(rows_of.evals),
        standing=regraded.standing(trial, folder, found, rows_of.evals),
        folder=folder,
    )


def _replaced(index: Iterable[dict[str, Any]]) -> int:
    """Scores that a later line of the same measurement of the same samples replaced."""
    scores: dict[tuple[Any, ...], set[str]] = {}
    for row in index:
        scores.setdefault((*regraded.place(row), row["samples"]), set()).add(row["scores"])
    return sum(len(ids) - 1 for ids in scores.values())


def _state(
    trial: Trial, found: Record | None, measured: tuple[Measured, ...], folder: Path
) -> OutcomeState:
    if found is None:
        return "unfinished" if live.was_launched(folder) else "missing"
    if live.superseded(folder, found):
        return "unfinished"
    if found.state != "done":
        return found.state
    have = {(m.asked, m.round) for m in measured}
    wanted = {(e.asked, round_) for e in trial.evaluations for round_ in e.rounds}
    return "done" if found.done(trial.rounds) and wanted <= have else "incomplete"


def measurements(rows: Iterable[dict[str, Any]]) -> tuple[Measured, ...]:
    """Lines of `evals.jsonl` as measurements, by round; a later line of the same evaluation
    replaces an earlier one.
    """
    found: dict[tuple[int, Asked], Measured] = {}
    for row in rows:
        named = row.get("metrics", {})  # rows of zoo 0.1.0 say full names
        values = finite(row.get("values") or {n.split("/")[2]: v for n, v in named.items()})
        measured = Measured(
            round=row["round"],
            benchmark=row["benchmark"],
            decoding=row["decoding"],
            problems=row["problems"],
            each=row.get("each", 1),
            n=row["n"],
            values=values,
            sample_id=row["samples"],
            score_id=row["scores"],
            audited=row.get("audited", 0),
            grader=row.get("grader", regraded.FIRST),
        )
        found[measured.round, measured.asked] = measured
    return tuple(sorted(found.values(), key=lambda m: m.round))


def finite(metrics: dict[str, Any], without: str = "\0") -> dict[str, float]:
    """The finite numbers among `metrics`, less those whose name starts with `without`."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and math.isfinite(value) and not name.startswith(without)
    }


@dataclass(frozen=True)
class Completion:
    """One response to one problem, as it was sampled and graded. All texts come from models and
    files: escape them.
    """

    id: str
    prompt: str
    gold: str
    text: str
    verdict: str
    cut: bool
    """Ended by the cap and not by the model."""


def completions(store: Store, measured: Measured, limit: int) -> list[Completion]:
    """The first completion of each of the first `limit` problems of an evaluation, in the
    benchmark's order; none where the files are gone.
    """
    import pyarrow.parquet as pq

    path, scores = store.completions(measured.sample_id), store.verdicts(measured.score_id)
    if not path.is_file():
        return []
    columns = ["id", "prompt", "gold", "text", "finish"]
    with pq.ParquetFile(path) as file:
        batch = next(file.iter_batches(batch_size=limit * measured.each, columns=columns), None)
    rows = [] if batch is None else batch.to_pylist()[:: measured.each]
    verdicts = {}
    if scores.is_file():
        graded = pq.read_table(scores, columns=["id", "verdict"]).to_pylist()
        verdicts = {row["id"]: row["verdict"] for row in graded[:: measured.each]}
    return [
        Completion(
            id=str(row["id"]),
            prompt=row["prompt"],
            gold=str(row["gold"]),
            text=row["text"],
            verdict=str(verdicts.get(row["id"], "not graded")),
            cut=row["finish"] == "length",
        )
        for row in rows
    ]
