"""The grader and its workers inside a Ray worker, which has its own ideas of processes and
signals."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest


@pytest.fixture
def ray() -> Iterator[object]:
    """A Ray of our own with one worker."""
    import ray

    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def graded() -> tuple[list[str], list[str], int]:
    """Verdicts of cases that need a worker, what settled them, and the worker's process id."""
    from zoo.grading import Grader, Item

    gold = r"\int_0^1 2x dx"
    items = [Item(gold, r"\boxed{1}"), Item(gold, r"\boxed{2}"), Item("7", r"\boxed{7}")]
    grader = Grader("boxed")  # left open, as a trial that is killed leaves it
    results = grader.grade(items).results
    (worker,) = grader._pool._workers
    return [r.verdict.value for r in results], [r.by for r in results], worker.process.pid


def test_a_grader_works_inside_a_ray_worker_and_leaves_nothing_behind(ray) -> None:
    verdicts, by, pid = ray.get(ray.remote(graded).remote(), timeout=120)
    assert verdicts == ["correct", "wrong", "correct"]
    assert by == ["symbolic", "symbolic", "text"]
    ray.shutdown()
    for _ in range(200):
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.05)
    pytest.fail("the grading worker outlived its Ray worker")
