"""The first trial of every shape goes first; what fails it holds back the others of its shape."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from pathlib import Path

import pytest

from tests.support import simulated
from tests.support.scripted import Scripted
from zoo.catalog import ComputeProfile
from zoo.orchestrate import driver
from zoo.orchestrate.invocation import Sweep
from zoo.orchestrate.progress import Lines
from zoo.orchestrate.sweep_journal import NAME
from zoo.runs.sweep_status import read_status
from zoo.store import sweep_rows
from zoo.store.run_store import write_text


def drive(made: simulated.Sweep, executor: Scripted) -> str:
    profile = ComputeProfile(form="profile/1", name="test", concurrency=executor.slots)
    out, folder = io.StringIO(), made.folder / "sweeps/tiny"
    sweep = Sweep(made.manifest, made.trials, made.store, folder, profile)
    status = read_status(sweep.trials, sweep.store)
    driver.run(sweep, status, lambda: executor, Lines(out))
    return out.getvalue()


def make(folder: Path, **settings) -> tuple[simulated.Sweep, dict[str, list[str]]]:
    """Two models, three seeds of each; and a script by which those of one model fail."""
    named = {"rewards": "correctness", "seeds": "0, 1, 2", "problems": 1}
    made = simulated.make(folder, **named | settings)
    fail = {trial.id: ["config"] * ("qwen2" in trial.id) for trial in made.trials}
    return made, fail


@pytest.mark.parametrize("slots", [2, 4])
def test_failure_of_the_first_of_a_shape_holds_back_and_ends_the_others(tmp_path, slots) -> None:
    made, fail = make(tmp_path)
    executor = Scripted(fail, slots, random.Random(0))
    told = drive(made, executor)
    assert "held back, as they are likely to fail like pocket-qwen2" in told
    ended = told.count("interrupted as it was likely to fail like pocket-qwen2")
    assert told.count("FAILED") == 1
    assert sum("qwen2" in id_ for id_ in executor.launches) == 1 + ended
    assert sum("llama" in id_ for id_ in executor.launches) == 3
    rows = sweep_rows.read(made.store.sweep("tiny") / NAME).rows
    assert [row["event"] for row in rows].count("held") == 2
    assert ended or slots == 2
    again = Scripted(defaultdict(list), slots, random.Random(0))
    drive(made, again)  # the next sweep tries them
    assert sorted(again.launches) == sorted(t.id for t in made.trials if "qwen2" in t.id)


def test_trial_that_has_ended_a_round_is_not_ended_with_one_that_failed(tmp_path: Path) -> None:
    made, fail = make(tmp_path, models="pocket-qwen2")
    first, second, third = (trial.id for trial in made.trials)
    journal = made.store.train(second) / "metrics.jsonl"
    row = '{"attempt": 1, "lineage": 1, "round": 1, "time": 1.0, "metrics": {}}'

    class Trains(Scripted):
        """The second trial ends its first round before the first one fails."""

        def check(self) -> None:
            if journal.exists():
                super().check()
            elif len(self.running) == 2:
                write_text(journal, row + "\n", durable=False)

    executor = Trains(fail | {second: ["mismatch"]}, 2, random.Random(1))
    told = drive(made, executor)
    assert executor.launches == [first, second]
    assert told.count("FAILED") == 2
    assert "held back" in told
    assert third not in executor.launches
    assert not any(handle.stop.wish.is_set() for handle in executor.handles.values())
