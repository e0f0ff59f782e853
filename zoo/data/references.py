"""Whether the references of a set of problems can be met at all: each graded against itself, before
anything is trained or measured on them.

Done once a set and grader; the outcome is one small JSON file in the run store's cache, by the
set's digest, which lists every reference that fails. Reading it is light; grading is not imported
before there is something to grade.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from zoo.catalog import ProblemCard
from zoo.data import problems
from zoo.data.resolve import read_json
from zoo.errors import Fault, printable
from zoo.store.run_store import write_json
from zoo.trials.identity import UNPINNED

LIMIT = 0.05
"""The share of a set's references past which something is wrong with the set and not with them."""
SHOWN = 10
SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True)
class Unusable:
    """A reference that no answer can meet."""

    id: str
    gold: str
    why: str

    def __str__(self) -> str:
        text = printable(" ".join(self.gold.split()))
        short = text if len(text) <= SHOWN_CHARS else text[: SHOWN_CHARS - 3] + "..."
        return f"{self.id}  '{short}': {self.why}"


@dataclass(frozen=True, slots=True)
class References:
    """What came of a set's references."""

    grader: str
    """Version of the grader that checked them."""
    n: int
    bad: tuple[Unusable, ...]
    file: Path | None
    """Where all of `bad` are listed."""

    @property
    def too_many(self) -> bool:
        """Whether so many fail that the set must be read wrongly."""
        return len(self.bad) > LIMIT * self.n

    def __str__(self) -> str:
        if not self.bad:
            return f"all {self.n:,} can be graded"
        return f"{len(self.bad):,} of {self.n:,} cannot be graded ({len(self.bad) / self.n:.1%})"

    def lines(self) -> Iterator[str]:
        """The outcome, and the first of those that fail."""
        yield f"references: {self}"
        yield from (f"  {bad}" for bad in self.bad[:SHOWN])
        if len(self.bad) > SHOWN and self.file:
            yield f"  and {len(self.bad) - SHOWN:,} more in {self.file}"

    def fault(self, name: str) -> Fault:
        """What to say of a set of which too many fail."""
        expected = (
            f"at most {LIMIT:.0%}: is it the right answer column, and the right `gold:` rule?"
        )
        where = f"all of them: {self.file}" if self.file else ""
        first = "".join(f"\n  {bad}" for bad in self.bad[:SHOWN])
        return Fault(name, f"of its references {self}", expected, where, first.removeprefix("\n"))


def known(digest: str, cache: Path | None) -> References | None:
    """The stored result of checking the references of a set, by its digest; None if unchecked."""
    file = _file(digest, cache)
    said = read_json(file) if file else None
    if said is None:
        return None
    bad = tuple(Unusable(**row) for row in said["bad"])
    return References(said["grader"], said["n"], bad, file)


def check(card: ProblemCard, digest: str, cache: Path | None) -> References:
    """Grade the references of a card against themselves, or find it done by this grader.

    Raises:
        InputError: as `problems.load`.
    """
    from zoo.grading import GRADER_VERSION
    from zoo.grading.audit import check_golds

    found = known(digest, cache)
    if found is not None and found.grader == GRADER_VERSION:
        return found
    loaded = problems.load(card, cache)
    golds = {problem.id: problem.answer for problem in loaded}
    bad = tuple(Unusable(id_, golds[id_], why) for id_, why in check_golds(golds).items())
    found = References(GRADER_VERSION, len(loaded), bad, _file(digest, cache))
    if found.file is not None:
        _write(found.file, card.name, found)
    return found


def _file(digest: str, cache: Path | None) -> Path | None:
    if cache is None or digest == UNPINNED:
        return None
    return cache / "references" / f"{digest}.json"


def _write(file: Path, name: str, found: References) -> None:
    bad = [asdict(one) for one in found.bad]
    write_json(file, {"set": name, "grader": found.grader, "n": found.n, "bad": bad}, durable=False)
