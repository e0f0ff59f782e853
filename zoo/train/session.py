"""The part common to all trainers: the stage's lock, launch and lineage, journals,
evaluation, rollouts, weights and the record.

A trainer (TRL or simulated) gets a `Session`, closes rounds in it and calls it to evaluate; files,
ids and order are the same for all trainers. No file of an earlier launch is deleted: training
continues the newest lineage at its newest whole checkpoint, and without one opens a new lineage at
round 0. The record is written once a launch, when training ends: done, stopped for a
reason, failed with a class, or preempted. Later work (the evaluation of the final weights,
evaluations added later) never rewrites it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from zoo.data import model_folder
from zoo.errors import FailureClass, TrialError
from zoo.evals.stages import Evaluator, Sampler
from zoo.grading import GRADER_VERSION
from zoo.resources import gpus_of
from zoo.runs import live
from zoo.runs.checkpoints import Checkpoint
from zoo.runs.due import split_missing
from zoo.runs.training_record import training_record
from zoo.store import journal
from zoo.store import record as records
from zoo.store.parquet import write_parquet
from zoo.store.record import Record, finite
from zoo.store.run_store import write_json, write_text
from zoo.store.stack import SIMULATED, stack
from zoo.train.endings import Ending, Interrupted, Stopped, line_crossed
from zoo.train.job import Job
from zoo.train.saves import Save, Saves, copy_weights, sync
from zoo.trainer.phases import Phases
from zoo.trials.trial import Evaluation

SamplerFactory = Callable[[], Sampler]


class Session:
    """One launch of a trial. Created by `session_lifecycle.open_session`, which owns the lock and
    writes records."""

    def __init__(self, job: Job) -> None:
        self.job, self.trial = job, job.trial
        self.folder = job.store.train(job.trial.id)
        self.durable = not self.trial.simulated
        self.stack = SIMULATED if self.trial.simulated else stack(job.profile.engine)
        self.started, self._clock = time.time(), time.monotonic()
        for name in ("metrics.jsonl", "evals.jsonl"):
            journal.truncate_torn_tail(self.folder / name)
        self._found = found = records.read(self.folder)  # while we hold the lock, we alone write it
        rows = [
            row
            for name in ("metrics.jsonl", "evals.jsonl")
            for row in journal.read(self.folder / name)
        ]
        launch, self._lineages = live.newest(rows, found)
        launch = max(launch, live.latest_launch(self.folder).get("attempt", 0))
        self.attempt, self.lineage, self.round = launch + 1, 0, 0
        self.bench = Evaluator(job.store, self.trial, self.stack, durable=self.durable)
        self._recorded, self._phase = False, ""
        self._final_round: int | None = None
        """Of a stopped trial: the round whose weights are its result."""
        self.saves = Saves(job, self.stack, durable=self.durable)
        self.phases = Phases()
        self.requested: Ending | None = None
        """Why training is to end with the round that runs."""
        self.metrics: dict[str, float | None] = {}
        self._announce()

    def _announce(self) -> None:
        """Store which launch owns the folder."""
        said = {"token": self.job.token, "attempt": self.attempt, "lineage": self.lineage}
        write_json(self.folder / live.LAUNCH, said, durable=False)

    # -- before training --------------------------------------------------------------------------

    @property
    def branch(self) -> str:
        """Folder of this lineage below `rollouts/` and `checkpoints/`."""
        return records.branch(self.lineage)

    def finished(self) -> Record | None:
        """The record of training with an outcome, regardless of later evaluations."""
        found = self._found
        return found if found is not None and found.finished() else None

    def begin(self) -> Checkpoint | None:
        """Continue the newest lineage at its newest whole checkpoint, which is returned; without
        one open a new lineage at round 0. Files of earlier ones are not changed, except
        `trial.json`, which is the input of the newest.

        Raises:
            TrialError: the checkpoint was written under other conditions (stack, geometry, grader);
                finished training that is to be extended has none.
        """
        extended = self.extended()
        lineage = extended.lineage if extended else self._lineages
        found = self.saves.find(lineage) if extended or self._unfinished() else None
        if extended is not None and (found is None or found.round < extended.round):
            raise self._not_extendable(extended)
        told = self.job.path.read_text(encoding="utf-8")
        write_text(self.folder / "trial.json", told, durable=self.durable)
        self.lineage = self.bench.lineage = lineage + (found is None)
        self._announce()
        if found is not None:
            self._continue(found)
        return found

    def extended(self) -> Record | None:
        """The record of finished training that this launch continues to more rounds."""
        found = self.finished()
        if not self.job.extend or found is None or found.state != "done":
            return None
        return found if found.round < self.trial.rounds else None

    def _not_extendable(self, found: Record) -> TrialError:
        text = f"no whole checkpoint after round {found.round} to continue from"
        damaged = f" ({'; '.join(self.saves.damaged)})" if self.saves.damaged else ""
        return TrialError(FailureClass.CONFIG, f"{text}{damaged}; what was trained is kept")

    def _unfinished(self) -> bool:
        """Whether the newest lineage was begun and came to no outcome."""
        finished = self.finished()
        return finished is None or finished.lineage != self._lineages

    def _continue(self, found: Checkpoint) -> None:
        """Continue a lineage after `found`."""
        rounds = live.live_rounds(journal.read(self.folder / "metrics.jsonl"), self.lineage)
        self.round, self.bench.launch = found.round, self.attempt
        self.metrics = rounds[found.round]["metrics"] if found.round in rounds else {}
        self.saves.pace.learn([row["time"] for row in rounds.values()])

    def missing(self, found: Record) -> list[tuple[Evaluation, int]]:
        """Evaluations of finished training that are not in the index and whose weights are
        kept."""
        rows = live.read(self.folder, found)
        return split_missing(self.trial, self.job.store, found, rows.evals)[0]

    def reopen(self, found: Record) -> None:
        """Continue after finished training, to evaluate: lineage and record are unchanged."""
        self.lineage = self.bench.lineage = found.lineage
        self.round, self._recorded = found.round, True
        self._announce()

    # -- while training ---------------------------------------------------------------------------

    def phase(self, word: str) -> None:
        """Publish the current activity, for the progress display only."""
        if word != self._phase:
            write_text(self.folder / "phase", word, durable=False)
            self._phase = word

    def due(self, round_: int) -> list[Evaluation]:
        """Evaluations of the trial at a round."""
        return [evaluation for evaluation in self.trial.evaluations if round_ in evaluation.rounds]

    def train_rounds(self) -> None:
        """Rounds are trained from here on, one after the other."""
        self.phase("training")
        self.saves.pace.begin()
        self.phases.begin()

    def close_round(
        self,
        round_: int,
        metrics: dict[str, Any],
        sampler: SamplerFactory,
        keep: Save,
        save: Save | None = None,
    ) -> Ending | None:
        """End a round: log it, run the evaluations that are due, save a checkpoint where one is
        due. After the last round, or one at which a tripwire stops the trial, store the weights and
        record the outcome before evaluating it. Returns why training ends here before its last
        round, or None.

        Args:
            keep: saves the weights into a folder.
            save: saves the full training state; None = not possible.
        """
        self.log_round(round_, metrics)
        due, sampler = self.due(round_), cache(sampler)
        if round_ == self.trial.rounds:
            self._finish(round_, keep, save)
            self.evaluate(round_, sampler)
            return None
        stopped = line_crossed(self.trial, self.folder)
        if stopped is None:
            self.evaluate(round_, sampler)
            stopped, due = line_crossed(self.trial, self.folder), []
        if stopped is not None:
            self._finish(round_, keep, why=stopped)
            last = [e for e in self.due(self.trial.rounds) if round_ not in e.rounds]
            self.evaluate(round_, sampler, due + last)
            return stopped
        self.phase("training")
        self._save(round_, save)
        self.saves.pace.close()
        return self.requested

    def _finish(
        self, round_: int, keep: Save, save: Save | None = None, why: Stopped | None = None
    ) -> None:
        """Store the final weights and record the outcome, with `why` training stopped, if it
        did."""
        self.keep_weights(round_, keep)
        if why is None:
            self.write_record("done")
            self._save(round_, save)
        else:
            self._final_round = round_
            self.write_record("stopped", message=str(why), stop_reason=why.reason)
        self.saves.retire(self.lineage)

    def _save(self, round_: int, save: Save | None) -> None:
        at_once = self.requested is not None
        if save is not None and self.saves.is_due(round_, at_once=at_once):
            with self.phases.timed("save"):
                self.saves.save(round_, save, self.lineage, self.attempt)

    @property
    def training(self) -> bool:
        """Whether a round is being trained, so that waiting for its end saves work."""
        return self.saves.pace.begun and not self._recorded

    def round_left_s(self) -> float | None:
        """Seconds until the current round has ended and is saved; None where unknown."""
        return self.saves.pace.left_s()

    def evaluate(
        self, round_: int, sampler: SamplerFactory, due: list[Evaluation] | None = None
    ) -> None:
        """Run the evaluations due at `round_`, or `due`. `sampler` runs only if needed."""
        sampler = cache(sampler)  # making one brings the weights over
        due = self.due(round_) if due is None else due
        if due:
            self.phase("base" if round_ == 0 else "evaluating")
        for evaluation in due:
            self.evaluate_one(evaluation, round_, sampler)

    def evaluate_one(self, evaluation: Evaluation, round_: int, sampler: SamplerFactory) -> None:
        """Run one evaluation and index it in `evals.jsonl`."""
        with self.phases.timed("evaluation"):
            found = self.bench.measure(evaluation, round_, sampler)
        row = {
            "attempt": self.attempt,
            "lineage": self.lineage,
            "round": round_,
            "key": evaluation.key,
            "benchmark": evaluation.benchmark.name,
            "decoding": evaluation.decoding_name,
            "problems": evaluation.problems,
            "each": evaluation.samples,
        }
        journal.append(self.folder / "evals.jsonl", row | found.row())

    def log_round(self, round_: int, metrics: dict[str, Any]) -> None:
        """Append a round to `metrics.jsonl`. Keys are full names (`train/reward`)."""
        self.round, self.metrics = round_, finite(metrics)
        row = {
            "attempt": self.attempt,
            "lineage": self.lineage,
            "round": round_,
            "time": round(time.time(), 3),
            "metrics": dict(sorted(self.metrics.items())),
        }
        journal.append(self.folder / "metrics.jsonl", row)

    def write_rollouts(self, round_: int, rows: dict[str, list[Any]]) -> None:
        """Store a round's completions: enough to grade them again."""
        write_parquet(self.job.store.rollouts(self.trial.id, round_, self.branch), rows)

    def keep_weights(self, round_: int, save: Callable[[Path], None]) -> None:
        """Store the weights after `round_`, atomically."""
        folder = self.job.store.checkpoint(self.trial.id, round_, self.branch)
        beside = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        save(beside)
        if self.durable:
            sync(beside)
        shutil.rmtree(folder, ignore_errors=True)  # of a launch that died before its record
        beside.rename(folder)

    # -- at the end of training -------------------------------------------------------------------

    def stop(self, why: Stopped) -> None:
        """Record training that ended early for a reason that is an outcome. Its newest checkpoint
        is the result; the current weights may be NaN."""
        if not self._recorded and (found := self.saves.find_newest(self.lineage)) is not None:
            extended = self.extended()
            if extended is None or found.round > extended.round:  # else they are kept already
                self.keep_weights(found.round, self._policy_in(found))
            self._final_round = found.round
        self.write_record("stopped", message=str(why), stop_reason=why.reason)
        self.saves.retire(self.lineage)

    def _policy_in(self, found: Checkpoint) -> Save:
        """Writes the policy of a checkpoint as weights are kept."""
        trial = self.trial
        if trial.peft is None or trial.simulated:
            return partial(copy_weights, found)
        from zoo.trainer.adapter import keep_from

        base, name = model_folder(trial.model), trial.model.repo or trial.model.name
        stop_ids, dtype = trial.model.stop_ids, self.job.profile.engine_dtype
        return lambda folder: keep_from(base, found.folder, stop_ids, dtype, folder, name)

    def write_record(
        self,
        state: records.State,
        failure_class: FailureClass | None = None,
        message: str = "",
        stop_reason: str | None = None,
    ) -> None:
        """Write the record, once a launch; later work in the launch does not change it.
        Training again without an outcome leaves the earlier finished record unchanged.

        A signal that arrives while a record is written waits until it is written.
        """
        interrupted: Interrupted | None = None
        while not self._recorded:
            try:
                self._write_record(state, failure_class, message, stop_reason)
                self._recorded = True
            except Interrupted as signal:
                interrupted = signal
        self.phase(state)
        if interrupted:
            raise interrupted

    def _write_record(
        self,
        state: records.State,
        failure_class: FailureClass | None,
        message: str,
        reason: str | None,
    ) -> None:
        before, extended = self.finished(), self.extended()
        if before is not None and (
            state not in records.OUTCOMES or (before.lineage == self.lineage and extended is None)
        ):  # the latter: a signal came just after it was written
            return
        if before is not None:
            records.set_aside(self.folder, before, extended=extended is not None)
        about: dict[str, Any] = {
            "gpus": gpus_of(self.trial, self.job.profile, self.job.longest_prompt),
            "grader": GRADER_VERSION,
        }
        about |= self.saves.about()
        about |= {"random_weights": True} if self.trial.random_weights else {}
        if extended is not None:
            about["extends"] = [*extended.extends, extended.round]
        if state == "stopped":
            about["final_round"] = self._final_round
        record = training_record(
            self.trial,
            token=self.job.token,
            profile=self.job.profile.name,
            message=message,
            out_of_memory=self.job.out_of_memory,
            about=about,
            id=self.folder.name,
            state=state,
            round=self.round,
            attempt=self.attempt,
            lineage=self.lineage,
            metrics=self.metrics,
            stack=self.stack,
            failure_class=failure_class,
            stop_reason=reason,
            started=self.started,
            seconds=round(time.monotonic() - self._clock, 3),
        )
        records.write(self.folder, record, durable=self.durable)
        self._found = record
