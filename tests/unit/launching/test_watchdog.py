"""A trial that does nothing is noticed and ended; one that is slow is not."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.launching import processes
from zoo.launching.launch import run
from zoo.launching.task import Task
from zoo.launching.watchdog import FIRST, Watchdog
from zoo.store import record


def task_of(folder: Path, silence_s: float, **settings) -> Task:
    named = {"models": "pocket-llama", "rewards": "correctness"}
    (task,) = simulated.make(folder, **named, **settings).tasks()
    return replace(task, profile=task.profile.model_copy(update={"silence_s": silence_s}))


class Trial:
    """The files of a trial under a clock of its own."""

    def __init__(self, folder: Path, silence_s: float = 600) -> None:
        self.task, self.now = task_of(folder, silence_s), 0.0
        self.task.folder.mkdir(parents=True)
        self.dog = Watchdog(self.task, lambda: self.now)

    def write(self, name: str, text: str) -> None:
        with (self.task.folder / name).open("a") as stream:
            stream.write(text)

    def phase(self, word: str) -> None:
        (self.task.folder / "phase").write_text(word)

    def passes(self, seconds: float, step: float = 20) -> str | None:
        """Let time pass; returns what the watchdog says first."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            if (why := self.dog.hung()) is not None:
                return why
        return None


def test_watchdog_allows_ten_of_the_longest_rounds_and_at_least_the_floor(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.phase("training")
    for round_s in (30, 40):
        trial.write("metrics.jsonl", "{}\n")
        assert trial.passes(round_s) is None
    trial.write("metrics.jsonl", "{}\n")
    assert trial.passes(600) is None
    assert "was training" in (trial.passes(60) or "")
    trial.write("metrics.jsonl", "{}\n")  # it went on after all, and its rounds are long now
    assert trial.passes(6000) is None
    assert trial.passes(2000) is not None


def test_watchdog_allows_more_before_the_second_round_and_outside_of_training(
    tmp_path: Path,
) -> None:
    trial = Trial(tmp_path)
    assert trial.passes(FIRST * 600) is None
    trial.phase("training")
    for _ in range(3):
        assert trial.passes(20) is None
        trial.write("metrics.jsonl", "{}\n")
    trial.phase("evaluating")
    assert trial.passes(FIRST * 600) is None
    trial.write("log.txt", "half of the problems are done\n")
    assert trial.passes(FIRST * 600) is None
    assert "was evaluating" in (trial.passes(100) or "")


def test_watchdog_takes_log_lines_for_no_life_while_a_trial_trains(tmp_path: Path) -> None:
    trial = Trial(tmp_path)
    trial.phase("training")
    for _ in range(3):
        assert trial.passes(20) is None
        trial.write("metrics.jsonl", "{}\n")
    found = None
    for _ in range(80):
        trial.write("log.txt", "still waiting for the other process\n")
        found = found or trial.passes(10, 10)
    assert found is not None


def test_watchdog_of_silence_zero_says_nothing(tmp_path: Path) -> None:
    assert Trial(tmp_path, 0).passes(1e5) is None


@pytest.mark.parametrize("how", ["hang:3", "deaf:3"])
def test_hung_trial_is_ended_and_recorded_at_the_round_it_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", how)
    task, clock = task_of(tmp_path, 0.5), time.monotonic()
    ended = run(task, lambda: None)
    assert (ended.state, ended.failure_class) == ("failed", "hang")
    assert time.monotonic() - clock < 60
    found = record.read(task.folder)
    assert found is not None
    assert (found.state, found.failure_class, found.round) == ("failed", "hang", 2)
    assert "nothing came from it for" in found.message
    assert processes.of_launch(task.token) == []
    monkeypatch.delenv("ZOO_SIMULATE")
    assert run(replace(task, token="another"), lambda: None).state == "done"
