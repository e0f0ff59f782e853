"""`zoo grade`: the current grader over a sweep's stored completions; nothing is sampled or trained
again.

Measurements that another grader scored get new scores; rollouts that another grader rewarded are
replayed. Each trial is worked on under its lock. Finished work is stored at once, so that an
interrupted command continues where it stopped.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

import click

from zoo.errors import StateError, ZooError
from zoo.evals.regrade import Regrader
from zoo.evals.rollouts import replay_trial
from zoo.evals.stages import Graders
from zoo.orchestrate.progress import REDRAW_S, clock
from zoo.planning.options import PlanOptions
from zoo.planning.study import Study, as_json, load_study, shown
from zoo.render import grade_text
from zoo.render.grade_text import Told
from zoo.render.sweep_report import SweepReport
from zoo.rewards.replay import Replay
from zoo.runs import grader_drift, live
from zoo.store import record
from zoo.store.run_store import claim
from zoo.trials.trial import Trial

LINE_S = 30.0  # how often it prints without a terminal
Tick = Callable[[str], None]
"""Called with the next item."""


@dataclass(frozen=True)
class GradeOptions:
    """How the grader is run."""

    all_: bool = False
    """Also grade results of the current grader, to check that its verdicts reproduce."""
    workers: int = 1
    json_: bool = False


def run(name: str, words: PlanOptions, how: GradeOptions, tick: Tick | None = None) -> int:
    """Grade a sweep again and print the result; returns the exit status."""
    study = load_study(name, words, started=True)
    graders, told = Graders(how.workers), Told()
    regrader = Regrader(study.store, graders, told.compared)
    status = 130
    try:
        with ticking(tick) as say:
            work = _Work(study, how, regrader, told, say)
            for trial in study.chosen:
                work.trial(trial)
        status = 1 if told.problems or told.broken else 0
    except KeyboardInterrupt:
        told.problems.append(f"interrupted; `{study.to('grade')}` does what is left")
    finally:
        graders.close()
    if how.json_:
        click.echo(as_json(grade_text.as_data(study.name, told)))
        return status
    click.echo("\n".join(grade_text.lines(study.name, told)))
    if (
        (told.compared or told.replayed_now)
        and (study.folder / "report.html").is_file()
        and status != 130
    ):
        if (page := SweepReport(study).write_or_excuse()) is not None:
            click.echo(f"report: {shown(page)}")
        click.echo(f"MLflow: `zoo sync {study.called}` brings it up to date")
    return status


@dataclass(frozen=True)
class _Work:
    """Grades each trial. A trial that cannot be graded does not stop the others."""

    study: Study
    how: GradeOptions
    regrader: Regrader
    told: Told
    tick: Tick

    def trial(self, trial: Trial) -> None:
        """Grade a trial again, unless it never ran or another process has its lock."""
        folder = self.study.store.train(trial.id)
        if not folder.is_dir():
            self.told.left_out["never ran"] += 1
            return
        with claim(folder, wait=False) as free:
            if not free:
                self._cannot(trial, "another process works on it; grade it when that is done")
                return
            try:
                self._measurements(trial)
                self._rollouts(trial)
            except ZooError as error:
                self._cannot(trial, str(error))

    def _cannot(self, trial: Trial, why: str) -> None:
        self.told.problems.append(f"{trial.id}: {why}")

    def _measurements(self, trial: Trial) -> None:
        folder = self.study.store.train(trial.id)
        for row in grader_drift.last_rows(live.read(folder, record.read(folder)).evals):
            if grader_drift.is_present(row) and not self.how.all_:
                continue
            self.tick(f"{trial.id}: {row['benchmark']} {row['decoding']}, round {row['round']}")
            try:
                self.regrader.measurement(trial, row)
                self.told.measurements += 1
            except StateError as error:
                self._cannot(trial, str(error))

    def _rollouts(self, trial: Trial) -> None:
        store, told = self.study.store, self.told
        folder = store.train(trial.id)
        found = record.read(folder)
        if found is None or not found.finished():
            state = found.state if found else "unfinished"
            told.left_out[state] += 1
            return
        rounds = grader_drift.to_replay(trial, found)
        if trial.trainer == "external" or rounds == 0:  # there are no rollouts
            return
        standing = grader_drift.standing(trial, folder, found, ())
        replay: Replay | None = grader_drift.present_replay(folder, found)
        if standing.replay or self.how.all_:
            self.tick(f"{trial.id}: rollouts")
            graders = self.regrader.graders
            for replay in replay_trial(store, trial, found, graders, anew=self.how.all_):
                self.tick(f"{trial.id}: rollouts, round {replay.round}/{trial.rounds}")
            told.replayed_now += 1
        if replay is not None and replay.round >= rounds:
            told.replays[trial.id] = replay


@contextmanager
def ticking(given: Tick | None = None, to: TextIO | None = None) -> Iterator[Tick]:
    """Prints progress: on a terminal in one line, redrawn in place; elsewhere a line now
    and then.
    """
    if given is not None:
        yield given
        return
    stream = to or sys.stderr
    live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    begun = last = time.monotonic()

    def tick(text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (REDRAW_S if live else LINE_S):
            return
        last, line = now, f"{clock(now - begun)}  {text}"
        width = shutil.get_terminal_size().columns - 1
        stream.write(f"\r\x1b[2K{line[:width]}" if live else f"{line}\n")
        stream.flush()

    try:
        yield tick
    finally:
        if live:
            stream.write("\r\x1b[2K")
            stream.flush()
