"""Pocket problems: arithmetic in four wordings, made from a seed, with splits that cannot overlap.

A problem is an *expression* (`23+45`) in a *wording* ("What is 23+45?"). The split of an expression
is a function of its own text (a hash), so train, test and benchmark are disjoint by construction,
whatever the seed, the level or the wording. Difficulty: two operations on numbers up to 12 (easy),
two that start from a two-digit number (medium), three or four on two-digit numbers (hard; the
models are taught three, so most of it lies beyond their skill). Independent of models, prompts and
styles of answering.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Literal, get_args

Level = Literal["easy", "medium", "hard"]
Split = Literal["train", "test", "benchmark"]
LEVELS: tuple[Level, ...] = get_args(Level)
SPLITS: tuple[Split, ...] = get_args(Split)

WORDINGS = (
    "What is {}?",
    "Compute {}.",
    "Find the value of {}.",
    "Work out {} and give the result.",
)
OPERATIONS: dict[Level, tuple[int, ...]] = {"easy": (2,), "medium": (2,), "hard": (3, 4, 4)}
# Part of the digest of every pocket bucket: bump when a seed would give other problems.
GENERATOR_VERSION = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One operation of an expression: `left op right = result`."""

    left: int
    op: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left}{self.op}{self.right}={self.result}"


@dataclass(frozen=True, slots=True)
class PocketProblem:
    """A question, its answer as text, and how to get there, one operation at a time."""

    id: str
    level: Level
    wording: int
    expression: str
    question: str
    answer: str
    steps: tuple[Step, ...]


def split_of(expression: str) -> Split:
    """The split that an expression belongs to, from its own text: 70 % train, 15 % test, 15 %
    benchmark.
    """
    bucket = hashlib.sha256(expression.encode()).digest()[0]
    return "benchmark" if bucket < 38 else "test" if bucket < 76 else "train"


def draw_steps(rng: random.Random, level: Level, operations: int) -> tuple[Step, ...]:
    """Draw an expression with numbers of `level`; it runs from left to right, never below zero."""
    low, high = {"easy": (2, 12), "medium": (2, 20), "hard": (10, 99)}[level]
    while True:
        if level == "easy" and rng.random() < 0.3:
            left, op, right = rng.randint(2, 9), "*", rng.randint(2, 9)
        else:
            left = rng.randint(2, 12) if level == "easy" else rng.randint(10, 99)
            op, right = rng.choice("+-"), rng.randint(low, high)
        steps = [_step(left, op, right)]
        while len(steps) < operations:
            steps.append(_step(steps[-1].result, rng.choice("+-"), rng.randint(low, high)))
        if all(step.result >= 0 for step in steps):
            return tuple(steps)


def _step(left: int, op: str, right: int) -> Step:
    return Step(left, op, right, {"+": left + right, "-": left - right, "*": left * right}[op])


def expression_of(steps: tuple[Step, ...]) -> str:
    """The expression that `steps` work out: `12+30-5`."""
    return str(steps[0].left) + "".join(f"{step.op}{step.right}" for step in steps)


def make(steps: tuple[Step, ...], level: Level, wording: int) -> PocketProblem:
    """Put `steps` into words."""
    expression = expression_of(steps)
    return PocketProblem(
        id=f"pocket-{level}-{expression}-w{wording}",
        level=level,
        wording=wording,
        expression=expression,
        question=WORDINGS[wording].format(expression),
        answer=str(steps[-1].result),
        steps=steps,
    )


def draw(rng: random.Random, level: Level, split: Split, operations: int) -> PocketProblem:
    """Draw one problem of `level` whose expression belongs to `split`."""
    while True:
        steps = draw_steps(rng, level, operations)
        if split_of(expression_of(steps)) == split:
            return make(steps, level, rng.randrange(len(WORDINGS)))


def generate(level: Level, split: Split, n: int, seed: int = 0) -> list[PocketProblem]:
    """Return `n` problems with distinct expressions, the same for the same arguments on every
    machine.

    Raises:
        ValueError: for an unknown level or split, or an `n` that the level cannot fill.
    """
    if level not in LEVELS or split not in SPLITS:
        raise ValueError(
            f"unknown pocket problems: level {level!r} of {LEVELS}, split {split!r} of {SPLITS}"
        )
    rng = random.Random(f"zoo-pocket/{GENERATOR_VERSION}/{level}/{split}/{seed}")
    found: dict[str, PocketProblem] = {}
    for _ in range(20 * n + 2_000):
        if len(found) == n:
            return list(found.values())
        problem = draw(rng, level, split, rng.choice(OPERATIONS[level]))
        found.setdefault(problem.expression, problem)
    raise ValueError(f"pocket-{level} has fewer than {n} different {split} problems")
