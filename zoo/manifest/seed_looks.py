"""Seeds that are added in looks: how many at the start, how many more while a claim is open, and
how many at most. Declared before the first trial; `zoo.stats.looks` judges them.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.catalog.cards import Part
from zoo.stats.looks import sizes

MOST = 1000


class SeedLooks(Part):
    """Seeds 0, 1, 2, ... in looks: `start` of them, then `add` a look while a claim is open."""

    start: Annotated[int, Field(ge=2, le=MOST)]
    """Seeds of the first look."""
    add: Annotated[int, Field(ge=1, le=MOST)]
    """Seeds that each further look adds."""
    most: Annotated[int, Field(ge=2, le=MOST)]
    """Seeds of the last look; `start` plus a multiple of `add`."""
    until: Literal["decided"] = "decided"
    """What ends it: all claims are decided, or `most` is reached."""

    @model_validator(mode="after")
    def _reached(self) -> SeedLooks:
        if self.most <= self.start or (self.most - self.start) % self.add:
            example = self.start + self.add * max(1, (self.most - self.start) // self.add)
            raise ValueError(
                f"`most` reached from `start` in steps of `add`, such as most: {example}"
            )
        return self

    @property
    def sizes(self) -> tuple[int, ...]:
        """Seeds of a cell at each look."""
        return tuple(sizes(self.start, self.add, self.most))

    def covering(self, seeds: int) -> int:
        """The first look, from 1, that has so many seeds; the last one where none has."""
        return next((i for i, n in enumerate(self.sizes, 1) if n >= seeds), len(self.sizes))
