"""Which failed trials are tried again, and which waiting ones are held back."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import FailureClass
from zoo.launching.launch import LaunchResult
from zoo.orchestrate.retries import POLICIES, SharedCauses, retry_wait
from zoo.trials.trial import Trial


class Counted(Counter[tuple[str, str]]):
    def retries(self, trial: str, failure_class: str) -> int:
        return self[trial, failure_class]


def waits(failure_class: str | None, most: int = 9) -> list[float]:
    """Waits before each retry of a trial that fails in the same way every time."""
    spent, found = Counted(), list[float]()
    state = "preempted" if failure_class == "interrupted" else "failed"
    while len(found) < most:
        wait_s = retry_wait("a", LaunchResult(state, failure_class), spent)
        if wait_s is None:
            break
        spent["a", failure_class or ""] += 1
        found.append(wait_s)
    return found


@pytest.mark.parametrize(
    ("failure_class", "expected"),
    [
        ("killed", [2, 20, 200]),
        ("infra", [2, 20, 200]),
        ("hang", [2]),
        *((word, []) for word in ("config", "data", "reward", "oom", "error", "mismatch")),
        ("a word of a later version", []),
        (None, []),
    ],
)
def test_retry_of_each_failure_class_ends_with_its_budget(failure_class, expected) -> None:
    assert waits(failure_class) == expected


@pytest.mark.parametrize("failure_class", ["interrupted", "disk"])
def test_retry_after_preemption_or_full_disk_is_free(failure_class: str) -> None:
    assert waits(failure_class) == [2, 20, *[200] * 7]


def test_retry_after_an_outcome_never_happens() -> None:
    for state in ("done", "stopped"):
        assert retry_wait("a", LaunchResult(state), Counted()) is None


def test_policies_name_every_failure_class_once() -> None:
    assert set(POLICIES) == set(FailureClass)


def grid(folder: Path) -> dict[str, Trial]:
    made = simulated.make(folder, seeds="0, 1")
    return {trial.id.rpartition("-")[0]: trial for trial in made.trials}


@pytest.mark.parametrize(
    ("failure_class", "expected"),
    [
        ("config", {"pocket-llama.box-strict.pocket-easy.s0"}),
        ("reward", {"pocket-qwen2.correctness.pocket-easy.s0"}),
        ("data", {"pocket-qwen2.correctness.pocket-easy.s0"}),
        ("error", set()),
        ("killed", set()),
    ],
)
def test_suspects_of_a_failure_share_its_cause(
    tmp_path: Path, failure_class: str, expected: set[str]
) -> None:
    trials = grid(tmp_path)
    suspects = SharedCauses([]).suspects(
        trials["pocket-llama.correctness.pocket-easy.s0"], failure_class
    )
    others = {name for name in trials if name.endswith("s0") and "llama.corr" not in name}
    assert {name for name in others if suspects(trials[name])} == expected


def test_suspects_of_a_cause_that_others_came_through_are_none(tmp_path: Path) -> None:
    trials = grid(tmp_path)
    failed, sibling = (trials[f"pocket-llama.correctness.pocket-easy.s{n}"] for n in (0, 1))
    causes = SharedCauses([trials["pocket-llama.box-strict.pocket-easy.s0"]])
    assert not causes.suspects(failed, "config")(sibling)
    assert causes.suspects(failed, "reward")(sibling)
    causes.proven(sibling)
    assert not causes.suspects(failed, "reward")(trials["pocket-qwen2.correctness.pocket-easy.s0"])
