"""Synthetic studies, for measuring statistics: values of trials by cell and seed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

FALL = 30.0
"""By how many standard deviations a collapsed trial lies below the others."""


@dataclass(frozen=True)
class Scenario:
    """How values are drawn. Even cells are one arm, odd cells the other."""

    name: str
    distribution: str = "normal"
    one_arm: bool = False
    """Only even cells have the distribution; the others are normal."""
    spreads: str = "equal"
    seeds: str = "equal"
    collapse: float = 0.0
    both_collapse: bool = False

    @property
    def fourfold(self) -> bool:
        """Whether spreads differ fourfold."""
        return self.spreads != "equal"


SCENARIOS = (
    Scenario("normal"),
    Scenario("t3", "t3"),
    Scenario("lognormal, both arms", "lognormal"),
    Scenario("lognormal, one arm", "lognormal", one_arm=True),
    Scenario("seeds S and 3", seeds="S and 3"),
    Scenario("one seed in five missing", seeds="missing"),
    Scenario("sd 4:1, half the cells", spreads="half"),
    Scenario("sd 4 in the two compared", spreads="compared"),
    Scenario("sd 4 elsewhere", spreads="elsewhere"),
    Scenario("sd 4 with 3 seeds, 1 with S", spreads="half", seeds="3 and S"),
    Scenario("survivors, one arm 0.2", collapse=0.2),
    Scenario("survivors, one arm 0.35", collapse=0.35),
    Scenario("survivors, both arms 0.35", collapse=0.35, both_collapse=True),
)


@dataclass(frozen=True)
class Drawn:
    """Values by repetition, cell and seed; NaN = no such seed."""

    values: np.ndarray
    collapsed: np.ndarray

    def all_trials(self, i: int) -> dict[int, list[float]]:
        """The values of one study, collapsed trials among them."""
        cells = self.values[i].tolist()
        return {c: [v for v in cell if v == v] for c, cell in enumerate(cells)}

    def counted(self, i: int, seeds: int | None = None) -> dict[int, list[float]]:
        """The values of one study without the trials that the caller marks as collapsed; of the
        first so many seeds."""
        cells, marks = self.values[i, :, :seeds].tolist(), self.collapsed[i, :, :seeds].tolist()
        return {
            c: [v for v, fell in zip(cell, mark, strict=True) if v == v and not fell]
            for c, (cell, mark) in enumerate(zip(cells, marks, strict=True))
        }


def draw(rng: np.random.Generator, scenario: Scenario, reps: int, cells: int, seeds: int) -> Drawn:
    """Studies whose trials all have mean 0 where they do not collapse."""
    shape = (reps, cells, seeds)
    values = noise(rng, scenario.distribution, shape)
    if scenario.one_arm:
        values[:, 1::2] = rng.standard_normal(values[:, 1::2].shape)
    spread = np.ones(cells)
    if scenario.spreads == "half":
        spread[::2] = 4
    elif scenario.spreads == "compared":
        spread[:2] = 4
    elif scenario.spreads == "elsewhere":
        spread[2:] = 4
    values *= spread[:, None]
    few = {"S and 3": slice(1, None, 2), "3 and S": slice(0, None, 2)}.get(scenario.seeds)
    if few is not None:
        values[:, few, 3:] = np.nan
    if scenario.seeds == "missing":
        gone = rng.random(shape) < 0.2
        gone[:, :, :2] = False
        values[gone] = np.nan
    collapsed = np.zeros(shape, bool)
    if scenario.collapse:
        arms = slice(None) if scenario.both_collapse else slice(None, None, 2)
        collapsed[:, arms] = rng.random(collapsed[:, arms].shape) < scenario.collapse
        values = np.where(collapsed, values - FALL, values)
    return Drawn(values, collapsed)


def noise(rng: np.random.Generator, distribution: str, shape: tuple[int, ...]) -> np.ndarray:
    """Mean 0, standard deviation 1."""
    if distribution == "t3":
        return rng.standard_t(3, shape) / math.sqrt(3)
    if distribution == "lognormal":  # sigma 0.6: skewness 2.3
        square = 0.36
        spread = math.sqrt((math.exp(square) - 1) * math.exp(square))
        return (np.exp(0.6 * rng.standard_normal(shape)) - math.exp(square / 2)) / spread
    return rng.standard_normal(shape)
