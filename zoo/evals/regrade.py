"""Grade the stored completions of a finished evaluation again: which verdicts changed, and the
effect on the numbers.

New scores get a new folder and a line in the trial's index; old scores are kept. Samples that
several trials share are compared once. Samples nothing; the caller holds the trial's lock.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from zoo.errors import StateError
from zoo.evals.stages import Evaluator, Graders, Measurement
from zoo.runs.outcome import MeasuredEvaluation, measurements
from zoo.store import journal, record
from zoo.store.parquet import read_parquet
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

MOST_CASES = 20
Row = dict[str, Any]
Rows = dict[str, list[Any]]
Graded = list[tuple[str, str | None]]
"""Verdict and prediction of each response."""


@dataclass(frozen=True, slots=True)
class Case:
    """One answer whose verdict moved. All texts come from models and files: escape them."""

    benchmark: str
    id: str
    gold: str
    prediction: str | None
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class RegradedSamples:
    """One set of samples under its old and its new scores."""

    benchmark: str
    decoding: str
    n: int
    """Responses."""
    before: float | None
    """Accuracy, a share."""
    after: float | None
    transitions: Counter[tuple[str, str]] | None
    """(old verdict, new verdict) -> how many; None where the old verdicts are gone."""
    cases: tuple[Case, ...]
    """The first that moved."""
    reproduces: bool | None
    """Whether the current grader gave the verdicts that it gave before; None where another gave
    them."""

    @property
    def moved(self) -> int:
        """How many verdicts moved."""
        return sum((self.transitions or {}).values())


@dataclass
class Regrader:
    """Grades measurements of many trials again, each set of samples once."""

    store: Store
    graders: Graders
    compared: list[RegradedSamples] = field(default_factory=list)
    """In the order in which they were graded."""
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def measurement(self, trial: Trial, row: Row) -> None:
        """Grade the samples of an index line again; append the line of the new scores to the index.

        Scores by the current grader are compared with a new grading, which is not stored.

        Raises:
            StateError: the completions are gone or cannot be read, or how they were graded is
            unknown.
        """
        (old,) = measurements([row])
        made = record.read(self.store.folder("scores", old.score_id))
        rule = _rule(trial, row, made)
        rows = read_parquet(self.store.completions(old.sample_id), ["id", "gold"])
        before = self._verdicts(old.score_id, rows)
        bench = Evaluator(
            self.store,
            trial,
            made.stack if made else {},
            durable=not trial.simulated,
            graders=self.graders,
        )
        found = bench.score(old.sample_id, rule, old.each, old.round)
        same = found.scores == old.score_id
        if (old.score_id, found.scores) not in self._seen:
            self._seen.add((old.score_id, found.scores))
            after = self._verdicts(found.scores, rows)
            if after is None:
                path = self.store.verdicts(found.scores)
                raise StateError(f"{path} is gone or broken; remove its folder to grade again")
            if same:
                results = bench.grade(old.sample_id, rule)
                after = [(str(r.verdict.value), r.prediction) for r in results]
            self.compared.append(_compare(old, found, rows, before, after))
        if not same:
            path = self.store.train(trial.id) / "evals.jsonl"
            journal.truncate_torn_tail(path)
            kept = {key: value for key, value in row.items() if key != "metrics"}
            journal.append(path, kept | found.row())

    def _verdicts(self, score_id: str, rows: Rows) -> Graded | None:
        """Stored verdicts and predictions; None where they are gone, or not of these rows."""
        try:
            kept = read_parquet(self.store.verdicts(score_id), ["id", "verdict", "prediction"])
        except StateError:
            return None
        pairs = list(zip(kept["verdict"], kept["prediction"], strict=True))
        return pairs if kept["id"] == rows["id"] else None


def _compare(
    old: MeasuredEvaluation, new: Measurement, rows: Rows, before: Graded | None, after: Graded
) -> RegradedSamples:
    moved = [
        Case(old.benchmark, str(id_), str(gold), prediction, was, verdict)
        for id_, gold, (was, _), (verdict, prediction) in zip(
            rows["id"], rows["gold"], before or after, after, strict=True
        )
        if was != verdict
    ]
    return RegradedSamples(
        benchmark=old.benchmark,
        decoding=old.decoding,
        n=new.n,
        before=old.values.get("acc"),
        after=new.values.get("acc"),
        transitions=Counter((c.old, c.new) for c in moved) if before is not None else None,
        cases=tuple(moved[:MOST_CASES]),
        reproduces=not moved if new.scores == old.score_id else None,
    )


def _rule(trial: Trial, row: Row, made: Record | None) -> str:
    """The extraction rule by which a measurement was graded."""
    for evaluation in trial.evaluations:
        if evaluation.key == row.get("key"):
            return evaluation.benchmark.extract
    if made and "extract" in made.identity:
        return made.identity["extract"]
    raise StateError(
        f"{row['scores']}: missing, and no longer in the manifest: "
        "the extraction rule it was graded by is not recorded"
    )
