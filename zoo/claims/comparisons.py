"""Which cells a claim compares: one `ClaimComparison` for each verdict that it gets.

A unit is one or more contrasts (an ordering and a crossover have several, and all must be true); a
contrast is a sum of sides, each the mean over some cells with a sign. Pure: cells in, cells out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any

from zoo.manifest.claim_schema import Claim
from zoo.trials.grid import Cell, matches
from zoo.trials.trial import Trial


@dataclass(frozen=True, slots=True)
class ContrastSide:
    """The mean over `cells`, with its sign in the contrast."""

    sign: int
    cells: tuple[Cell, ...]
    base: bool = False
    """Whether it is the base models of these cells (round 0) that count."""


Contrast = tuple[ContrastSide, ...]


@dataclass(frozen=True, slots=True)
class ClaimComparison:
    """What one verdict is about."""

    label: str
    """Values of the axes of `for_each`, and which two are set against each other where a claim
    differs by an axis; empty for the only verdict of a claim."""
    contrasts: tuple[Contrast, ...]
    pairs: tuple[tuple[str, ContrastSide, ContrastSide], ...] = ()
    """(axis, side, side): sides that are meant to differ in that axis only."""

    @property
    def cells(self) -> list[Cell]:
        """All cells that it rests on; some may come twice."""
        return [cell for contrast in self.contrasts for side in contrast for cell in side.cells]


def cells_of(trials: Iterable[Trial]) -> list[Cell]:
    """The distinct cells of trials, in their order."""
    return list({tuple(trial.cell.items()): trial.cell for trial in trials}.values())


class TrialOf:
    """A trial of each cell. Cells are long keys, so each is looked up by its content once."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self._by_content = {tuple(trial.cell.items()): trial for trial in trials}
        self._by_object: dict[int, Trial | None] = {}

    def get(self, cell: Cell) -> Trial | None:
        """A trial of the cell, if there is one. The cell must outlive this object."""
        if id(cell) not in self._by_object:
            self._by_object[id(cell)] = self._by_content.get(tuple(cell.items()))
        return self._by_object[id(cell)]

    def __getitem__(self, cell: Cell) -> Trial:
        found = self.get(cell)
        assert found is not None
        return found


def units(claim: Claim, cells: Sequence[Cell]) -> list[ClaimComparison]:
    """The verdicts of a claim over distinct cells, in the cells' order.

    Sides may be empty or unequal where cells are missing; see `claim_checks`.
    """
    inside = [cell for cell in cells if matches(cell, claim.where)]
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in inside:
        groups.setdefault(tuple(cell.get(axis) for axis in claim.for_each), []).append(cell)
    made: list[ClaimComparison] = []
    for group in groups.values():
        label = ", ".join(str(group[0].get(axis)) for axis in claim.for_each)
        made += _units(claim, label, group, inside)
    return [unit for unit in made if unit.cells]


def _units(
    claim: Claim, label: str, group: list[Cell], inside: list[Cell]
) -> list[ClaimComparison]:
    if claim.kind in ("gain", "crossover"):
        contrast = (ContrastSide(1, tuple(group)), ContrastSide(-1, tuple(group), base=True))
        return [ClaimComparison(label, (contrast,) * (len(claim.tested_k) or 1))]
    if claim.kind == "trend":
        return [ClaimComparison(label, ((ContrastSide(1, tuple(group)),),))]
    axis = claim.axis
    assert axis is not None
    if claim.kind != "interaction":
        sides = [_at(group, axis, value) for value in claim.values]
        contrasts = tuple((ContrastSide(1, a), ContrastSide(-1, b)) for a, b in pairwise(sides))
        return [
            ClaimComparison(label, contrasts, tuple((axis, *contrast) for contrast in contrasts))
        ]
    by = claim.differs_by
    assert by is not None
    first, *others = branches(claim, inside)
    return [_interaction(claim, label, group, (axis, by), first, other) for other in others]


def _interaction(
    claim: Claim, label: str, group: list[Cell], axes: tuple[str, str], first: Any, other: Any
) -> ClaimComparison:
    axis, by = axes
    a, b = claim.values
    sides = tuple(
        ContrastSide(sign, _at(_at(group, by, branch), axis, value))
        for branch, value, sign in ((first, a, 1), (first, b, -1), (other, a, -1), (other, b, 1))
    )
    against = f"{first} against {other}"
    return ClaimComparison(
        f"{label}: {against}" if label else against,
        (sides,),
        ((axis, sides[0], sides[1]), (axis, sides[2], sides[3]), (by, sides[0], sides[2])),
    )


def branches(claim: Claim, inside: Sequence[Cell]) -> list[Any]:
    """Values of the axis that an interaction differs by: in the order of `where`, else of the
    cells."""
    by = claim.differs_by
    assert by is not None
    said = claim.where.get(by)
    found = list(dict.fromkeys(cell[by] for cell in inside if by in cell))
    return [value for value in said if value in found] if isinstance(said, list) else found


def _at(cells: Sequence[Cell], axis: str, value: Any) -> tuple[Cell, ...]:
    return tuple(cell for cell in cells if matches(cell, {axis: value}))


@dataclass(frozen=True, slots=True)
class Matched:
    """Cells of two sides, paired by all axes that do not move with the compared one."""

    pairs: list[tuple[Cell, Cell]]
    lonely: list[Cell]
    """Cells without a partner on the other side."""
    moving: list[str]
    """Axes that share no value between the sides: they move with the compared axis."""


def matched(axis: str, one: Sequence[Cell], two: Sequence[Cell]) -> Matched:
    """Pair the cells of two sides of a comparison along `axis`."""
    others = [name for name in (one or two)[0] if name != axis] if one or two else []
    moving = [name for name in others if not {c[name] for c in one} & {c[name] for c in two}]
    fixed = [name for name in others if name not in moving]
    rest: Callable[[Cell], Any] = itemgetter(*fixed) if fixed else lambda cell: None
    partners: dict[Any, tuple[list[Cell], list[Cell]]] = {}
    for side, cells in enumerate((one, two)):
        for cell in cells:
            partners.setdefault(rest(cell), ([], []))[side].append(cell)
    pairs: list[tuple[Cell, Cell]] = []
    lonely: list[Cell] = []
    for a, b in partners.values():
        pairs += zip(a, b, strict=False)
        lonely += a[len(b) :] + b[len(a) :]
    return Matched(pairs, lonely, moving if one and two else [])
