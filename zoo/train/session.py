"""What every trainer does around training: the stage's lock, attempt, journals, evaluation,
rollouts and the record.

A trainer (TRL or simulated) gets a `Session`, reports rounds to it and asks it to evaluate; files,
ids and order are the same whoever trains. The record is written last, whatever happens: done,
failed with a class, or preempted.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import TrialError, ZooError
from zoo.evals.parquet import write_parquet
from zoo.evals.stages import Bench, Sampler
from zoo.grading import GRADER_VERSION
from zoo.manifest.trial import Evaluation, Trial
from zoo.track import journal, regraded
from zoo.track import record as records
from zoo.track.evaluations import missing_evaluations
from zoo.track.record import Record, finite
from zoo.track.stack import SIMULATED, provenance, stack
from zoo.track.store import Store, claim, write_text

SamplerFactory = Callable[[], Sampler]


class Interrupted(BaseException):
    """A signal asked the trial to stop; carries the exit status (130 or 143). Not an `Exception`:
    nothing may eat it.
    """

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(status)


@dataclass(frozen=True)
class Job:
    """`trial.json`: what to run, and where."""

    trial: Trial
    store: Store
    profile: ComputeProfile
    token: str
    longest_prompt: int | None = None
    """Tokens of the longest prompt, for the engine's size; None = not measured."""

    @classmethod
    def read(cls, path: Path) -> Job:
        """Read a `trial.json`."""
        data = json.loads(path.read_text(encoding="utf-8"))
        run = data["run"]
        profile = ComputeProfile.model_validate(run["profile"])
        trial = Trial.model_validate(data["trial"])
        return cls(trial, Store(run["store"]), profile, run["token"], run.get("longest_prompt"))


class Session:
    """One attempt at a trial. Made by `open_session`, which holds the lock and records."""

    def __init__(self, job: Job) -> None:
        self.job, self.trial = job, job.trial
        self.folder = job.store.train(job.trial.id)
        self.durable = not self.trial.simulated
        self.stack = SIMULATED if self.trial.simulated else stack()
        self.bench = Bench(job.store, self.trial, self.stack, durable=self.durable)
        self.started, self._clock = time.time(), time.monotonic()
        self.attempt, self.round = 1 + self._last_attempt(), 0
        self._trained = self.finished()
        self.metrics: dict[str, float | None] = {}

    # -- before training --------------------------------------------------------------------------

    def finished(self) -> bool:
        """Whether training itself is done (evaluations may still be missing)."""
        found = records.read(self.folder)
        return found is not None and found.done(self.trial.rounds)

    def missing(self) -> list[tuple[Evaluation, int]]:
        """Evaluations that no attempt of this trial has indexed yet."""
        return missing_evaluations(self.trial, journal.read(self.folder / "evals.jsonl"))

    def begin(self) -> None:
        """Start an attempt at round 0; files of an earlier attempt that it replaces go away."""
        for name in ("metrics.jsonl", "evals.jsonl"):
            journal.mend(self.folder / name)
        self.bench.attempt, self._trained = self.attempt, False
        for name in ("record.json", regraded.NAME):
            (self.folder / name).unlink(missing_ok=True)
        for name in ("rollouts", "checkpoints"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def resume_finished(self) -> None:
        """Go on after finished training, for evaluations that came later; the attempt stays the
        same.
        """
        found = records.read(self.folder)
        assert found is not None
        self.attempt, self.round, self.metrics = found.attempt, found.round, found.metrics
        self.bench.attempt = found.attempt
        journal.mend(self.folder / "evals.jsonl")

    def _last_attempt(self) -> int:
        found = records.read(self.folder)
        rows = journal.read(self.folder / "metrics.jsonl")
        return max([found.attempt if found else 0, *(row["attempt"] for row in rows)])

    # -- while training ---------------------------------------------------------------------------

    def phase(self, word: str) -> None:
        """Say what the trial is doing, for the progress display alone."""
        write_text(self.folder / "phase", word, durable=False)

    def due(self, round_: int) -> list[Evaluation]:
        """Evaluations of the trial at a round."""
        return [evaluation for evaluation in self.trial.evaluations if round_ in evaluation.rounds]

    def evaluate(self, round_: int, sampler: SamplerFactory) -> dict[str, float | None]:
        """Measure what is due at `round_`; returns the metrics by full name. `sampler` runs only if
        needed.
        """
        due, sampler = self.due(round_), cache(sampler)  # making one brings the weights over
        if due:
            self.phase("base" if round_ == 0 else "evaluating")
        metrics: dict[str, float | None] = {}
        for evaluation in sorted(due, key=lambda e: e.size):  # the larger wins a shared name
            metrics |= self.evaluate_one(evaluation, round_, sampler)
        return metrics

    def evaluate_one(
        self, evaluation: Evaluation, round_: int, sampler: SamplerFactory
    ) -> dict[str, float | None]:
        """Measure one evaluation and index it in `evals.jsonl`; returns metrics by full name."""
        found = self.bench.measure(evaluation, round_, sampler)
        metrics = {evaluation.metric(name): value for name, value in found.values.items()}
        row = {
            "attempt": self.attempt,
            "round": round_,
            "key": evaluation.key,
            "benchmark": evaluation.benchmark.name,
            "decoding": evaluation.decoding_name,
            "problems": evaluation.problems,
            "each": evaluation.samples,
        }
        row |= found.row() | {"metrics": metrics}
        journal.append(self.folder / "evals.jsonl", row)
        return metrics

    def log_round(self, round_: int, metrics: dict[str, Any]) -> None:
        """Append a round to `metrics.jsonl`. Keys are full names (`train/reward`, `eval/...`)."""
        self.round, self.metrics = round_, finite(metrics)
        row = {
            "attempt": self.attempt,
            "round": round_,
            "time": round(time.time(), 3),
            "metrics": dict(sorted(self.metrics.items())),
        }
        journal.append(self.folder / "metrics.jsonl", row)

    def write_rollouts(self, round_: int, rows: dict[str, list[Any]]) -> None:
        """Keep a round's completions: enough to grade them again."""
        write_parquet(self.job.store.rollouts(self.trial.id, round_), rows)

    def checkpoint(self, round_: int) -> Path:
        """Folder of the weights after `round_`."""
        return self.folder / "checkpoints" / f"round-{round_:04d}"

    # -- after training ---------------------------------------------------------------------------

    def write_record(self, state: Any, failure_class: str | None = None, message: str = "") -> None:
        """Write the record: the last thing that an attempt does.

        Training that was done before this process stays done, whatever became of what came after.
        """
        if self._trained and state != "done":
            self.phase(state)
            return
        about = {"token": self.job.token, "provenance": provenance(), "cell": self.trial.cell}
        about |= {
            "seed": self.trial.seed,
            "rounds": self.trial.rounds,
            "profile": self.job.profile.name,
            "grader": GRADER_VERSION,
        }
        record = Record(
            id=self.trial.id,
            stage="train",
            state=state,
            round=self.round,
            attempt=self.attempt,
            metrics=self.metrics,
            stack=self.stack,
            identity=self.trial.identity,
            failure_class=failure_class,
            message=message[-4000:],
            simulated=self.trial.simulated,
            rehearsal=self.trial.rehearsal,
            started=self.started,
            seconds=round(time.monotonic() - self._clock, 3),
            about=about,
        )
        records.write(self.folder, record, durable=self.durable)
        self.phase(state)


@contextmanager
def open_session(job: Job) -> Iterator[Session]:
    """Hold the trial's lock, yield its session, and leave a record of whatever happens inside."""
    with claim(job.store.train(job.trial.id)):
        session = Session(job)
        try:
            yield session
        except Interrupted:
            session.write_record("preempted", "interrupted")
            raise
        except MemoryError as error:
            session.write_record("failed", "oom", repr(error))
            raise
        except TrialError as error:
            session.write_record("failed", error.failure_class, str(error))
            raise
        except ZooError as error:
            session.write_record(
                "failed", "config" if error.exit_code == 2 else "error", str(error)
            )
            raise
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            session.write_record(
                "failed", "oom" if "out of memory" in text.lower() else "error", text
            )
            raise
        finally:
            session.bench.close()
