"""The content of a trial's folder: its state, its metrics by round, its evaluations, its
completions.

One reader for all users of results (the report, the MLflow mirror), so that they cannot
disagree. Reads only the run store; contains no statistics and no layout. `zoo.runs.live` decides
which rows of the journals count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from zoo.manifest.metric_name import TRAIN, MetricName
from zoo.runs import grader_drift as regraded
from zoo.runs import live
from zoo.runs.due import as_ended, missing_evaluations
from zoo.runs.grader_drift import NOTHING, Standing
from zoo.store import record, void
from zoo.store.log_tail import log_tail
from zoo.store.parquet import read_first, read_rows
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.store.void import Void
from zoo.trials.trial import Asked, Trial

OutcomeState = Literal[
    "done", "stopped", "incomplete", "failed", "preempted", "unfinished", "missing", "void"
]
"""`stopped`: ended for a reason that is an outcome, such as `diverged`; `incomplete`: trained to
its end, but rounds or an evaluation that the manifest requires are missing; `unfinished`: started,
no record of the newest launch; `void`: set aside by a person (`zoo void`), without numbers.
"""


@dataclass(frozen=True)
class MeasuredEvaluation:
    """One benchmark under one decoding at one round; values by metric (`acc`, ...)."""

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
    """Version of the grader that computed the scores."""
    audited: int = 0
    """Answers that were put to stock math-verify and decided by it."""
    key: str = ""
    """As `Evaluation.key`; empty in old lines of an index."""
    seed_rule: str = ""
    """The rule for the seed of its responses; empty = the first rule. All rules agree at round 0.
    """

    @property
    def asked(self) -> Asked:
        """As `Evaluation.asked`."""
        return self.benchmark, self.decoding, self.problems, self.each

    def rests_on(self, measure: str) -> int:
        """Number of responses of a metric: all, except for an audit, which is of a sample."""
        return self.audited if measure == "audit_disagreement" else self.n


@dataclass(frozen=True)
class Launch:
    """The work of one launch that counts: its rounds, and how long it took."""

    number: int
    first: int
    """The first round that it completed; 0 = it began with the base model."""
    last: int
    seconds: float
    """Wall time: of the recorded launch the whole, of others from their first round to their last.
    """


@dataclass(frozen=True)
class Outcome:
    """A trial and what became of it."""

    trial: Trial
    state: OutcomeState
    lineage: int
    """The lineage that the numbers are of; 0 = training never began."""
    record: Record | None
    replaced_by: int
    """The last launch that trained rounds again which a dead one had reached; 0 = none did."""
    rounds: dict[int, dict[str, float]]
    """Round -> training metrics (`train/...`), ascending; no `eval/...` and nothing that is not
    finite.
    """
    times: dict[int, float]
    """Round -> when it ended, seconds since the epoch."""
    measured: tuple[MeasuredEvaluation, ...]
    regraded: int
    """Scores that later ones of the same samples replaced."""
    standing: Standing
    folder: Path
    trained_to: int | None = None
    """The last round that it was trained to beyond the required ones; results after the required
    rounds are left out, so that trials of one plan compare at the same round."""
    launches: tuple[Launch, ...] = ()
    """In their order; the time between them is in none."""
    void: Void | None = None
    """Why a person set it aside; None = it counts."""
    voids: tuple[Void, ...] = ()
    """The same, and why earlier lineages were that training again replaced."""

    @property
    def reached(self) -> int:
        """The last round that was completed."""
        return max([*self.rounds, self.record.round if self.record else 0], default=0)

    @property
    def ended(self) -> Trial:
        """The trial with the last round that it came to: where it was stopped, that one; its final
        numbers are of that round."""
        return as_ended(self.trial, self.record)

    @property
    def lost_its_weights(self) -> bool:
        """Whether training was stopped and kept no weights; its accuracy counts as 0."""
        return self.state == "stopped" and self.record is not None and not self.record.final_round

    @property
    def made_up(self) -> bool:
        """True for simulated trials and rehearsals: their numbers are no evidence about the models
        named.
        """
        record = self.record
        if self.trial.simulated or self.trial.rehearsal:
            return True
        return bool(record and (record.simulated or record.rehearsal))

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the trial's log."""
        try:
            return log_tail(self.folder / "log.txt", lines)
        except FileNotFoundError:
            return ""


def load(trial: Trial, store: Store) -> Outcome:
    """What of a trial counts: its folder as it is, and of a void trial no numbers.

    Raises:
        StateError: a journal or record that cannot be read.
    """
    found = load_whole(trial, store)
    if found.void is None:
        return found
    return replace(
        found,
        state="void",
        lineage=0,
        record=None,
        replaced_by=0,
        rounds={},
        times={},
        measured=(),
        regraded=0,
        standing=NOTHING,
        trained_to=None,
        launches=(),
    )


def load_whole(trial: Trial, store: Store) -> Outcome:
    """As `load`, with the numbers of a void trial: for what shows one trial.

    Raises:
        StateError: as `load`.
    """
    folder = store.train(trial.id)
    newest = record.read(folder)
    found = record.as_of(folder, newest, trial.rounds)
    rows = live.up_to(live.read(folder, found), trial.rounds)
    measured = measurements(rows.evals)
    voids = void.read(folder)
    return Outcome(
        trial=trial,
        state=_state(trial, found, rows.evals, folder),
        lineage=rows.lineage,
        replaced_by=rows.replaced_by,
        record=found,
        rounds={r: training(row["metrics"]) for r, row in rows.rounds.items()},
        times={r: row["time"] for r, row in rows.rounds.items()},
        measured=measured,
        regraded=_replaced(rows.evals),
        standing=regraded.standing(trial, folder, found, rows.evals),
        folder=folder,
        trained_to=newest.round if newest and newest.round > trial.rounds else None,
        launches=_launches(rows.rounds, found),
        void=void.of_lineage(voids, rows.lineage),
        voids=void.standing(voids),
    )


def _launches(rounds: Mapping[int, live.Row], found: Record | None) -> tuple[Launch, ...]:
    """The launches that the live rounds are of, and the recorded one."""
    by_launch: dict[int, list[tuple[int, float]]] = {}
    for round_, row in rounds.items():
        by_launch.setdefault(row["attempt"], []).append((round_, row["time"]))
    whole = {found.attempt: found.seconds} if found and found.seconds else {}
    spans: list[Launch] = []
    for number, rows in sorted(by_launch.items()):
        times = [time for _, time in rows]
        seconds = whole.get(number, max(times) - min(times))
        spans.append(Launch(number, rows[0][0], rows[-1][0], seconds))
    return tuple(spans)


def _replaced(index: Iterable[dict[str, Any]]) -> int:
    """Scores that a later line of the same measurement of the same samples replaced."""
    scores: dict[tuple[Any, ...], set[str]] = {}
    for row in index:
        scores.setdefault((*regraded.place(row), row["samples"]), set()).add(row["scores"])
    return sum(len(ids) - 1 for ids in scores.values())


def _state(
    trial: Trial, found: Record | None, index: Sequence[live.Row], folder: Path
) -> OutcomeState:
    if found is None:
        return "unfinished" if live.was_launched(folder) else "missing"
    if live.superseded(folder, found):
        return "unfinished"
    if found.state != "done":
        return "preempted" if found.cut else found.state
    whole = found.done(trial.rounds) and not missing_evaluations(trial, index)
    return "done" if whole else "incomplete"


def measurements(rows: Iterable[dict[str, Any]]) -> tuple[MeasuredEvaluation, ...]:
    """Lines of `evals.jsonl` as measurements, by round; a later line of the same evaluation
    replaces an earlier one.
    """
    found: dict[tuple[int, Asked, str], MeasuredEvaluation] = {}
    for row in rows:
        measured = MeasuredEvaluation(
            round=row["round"],
            benchmark=row["benchmark"],
            decoding=row["decoding"],
            problems=row["problems"],
            each=row.get("each", 1),
            n=row["n"],
            values=finite(values_of(row)),
            sample_id=row["samples"],
            score_id=row["scores"],
            audited=row.get("audited", 0),
            grader=row.get("grader", regraded.FIRST),
            key=row.get("key", ""),
            seed_rule=row.get("seed_rule", ""),
        )
        found[measured.round, measured.asked, measured.key] = measured
    return tuple(sorted(found.values(), key=lambda m: m.round))


def values_of(row: dict[str, Any]) -> dict[str, Any]:
    """Values of a line of `evals.jsonl` by quantity; old lines have them by metric name."""
    if "values" in row:
        return row["values"]
    names = {name: MetricName.parse(name) for name in row["metrics"]}
    return {parts.measure: row["metrics"][name] for name, parts in names.items() if parts}


def training(metrics: dict[str, Any]) -> dict[str, float]:
    """The finite training metrics of a round; old journals have those of evaluations as well."""
    return finite({name: v for name, v in metrics.items() if name.startswith(f"{TRAIN}/")})


def finite(metrics: dict[str, Any]) -> dict[str, float]:
    """The finite numbers among `metrics`."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


@dataclass(frozen=True)
class ShownCompletion:
    """One response to one problem, as it was sampled and graded. All texts come from models and
    files: escape them.
    """

    id: str
    prompt: str
    gold: str
    text: str
    verdict: str
    cut: bool
    """Cut at the max response length, not ended by the model."""


def completions(store: Store, measured: MeasuredEvaluation, limit: int) -> list[ShownCompletion]:
    """The first completion of each of the first `limit` problems of an evaluation, in the
    benchmark's order; none where the files are gone.
    """
    path, scores = store.completions(measured.sample_id), store.verdicts(measured.score_id)
    if not path.is_file():
        return []
    columns = ["id", "prompt", "gold", "text", "finish"]
    rows = read_first(path, columns, limit * measured.each)[:: measured.each]
    verdicts: dict[Any, Any] = {}
    if scores.is_file():
        graded = read_rows(scores, ["id", "verdict"])
        verdicts = {row["id"]: row["verdict"] for row in graded[:: measured.each]}
    return [
        ShownCompletion(
            id=str(row["id"]),
            prompt=row["prompt"],
            gold=str(row["gold"]),
            text=row["text"],
            verdict=str(verdicts.get(row["id"], "not graded")),
            cut=row["finish"] == "length",
        )
        for row in rows
    ]
