"""A trial that dies between any two steps that change a file (every one with `ZOO_KILLS` from 5 on,
else some at random), and is started again, is the trial that was left alone."""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support import simulated
from tests.support.same_trial import traces
from zoo.launching.task import Task, write_task
from zoo.store import record
from zoo.train.entry import run

KILLS = int(os.environ.get("ZOO_KILLS", "1"))
SEED = int(os.environ.get("ZOO_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
DIED = 99
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link")


def die_before(step: int, folder: Path, counted: Any) -> None:
    """End this process before the `step`-th change to a file in `folder`; counts the changes."""
    inside = str(folder)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
                return
        elif event in CHANGES:
            path = args[0]
        else:
            return
        if not (isinstance(path, (str, Path)) and str(path).startswith(inside)):
            return
        counted.value += 1
        if counted.value == step:
            os._exit(DIED)

    sys.addaudithook(hook)


def launch(task: Task, step: int = 0) -> tuple[int, int]:
    """Run a trial in a process of its own; returns its exit status and the changes it made."""
    context = multiprocessing.get_context("fork")
    counted = context.Value("i", 0)
    path = write_task(task)

    def work() -> None:
        die_before(step, Path(task.runs), counted)
        os._exit(run(path))

    child = context.Process(target=work)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode, counted.value


def test_trial_that_dies_between_any_two_steps_equals_the_undisturbed_one(tmp_path: Path) -> None:
    said: dict[str, Any] = {"models": "pocket-llama", "rewards": "box-strict", "rounds": 3}
    said |= {"problems": 2}

    def task_in(name: str) -> Task:
        (tmp_path / name).mkdir()
        (task,) = simulated.make(tmp_path / name, **said).tasks()
        profile = task.profile.model_copy(update={"save_every": 1})
        return replace(task, profile=profile)

    calm = task_in("calm")
    status, steps = launch(calm)
    assert status == 0
    assert steps > 30, steps
    once = traces(calm.trial, calm.store)
    some = range(1, steps + 1)
    for step in some if KILLS >= 5 else random.Random(SEED).sample(some, 12):
        task = task_in(f"died-{step}")
        assert launch(task, step) == (DIED, step)
        found = record.read(task.folder)
        before = (task.folder / "record.json").read_bytes() if found and found.finished() else None
        assert launch(replace(task, token="again"))[0] == 0, (step, SEED)
        again = traces(task.trial, task.store)
        for name, expected in once.items():
            assert again[name] == expected, (name, step, SEED)
        if before is not None:
            assert (task.folder / "record.json").read_bytes() == before, (step, SEED)
