"""Which problems of a benchmark a training set contains, by content.

Questions are compared by a 64-bit hash of their content (`content`): what the `overlap` filter
compares (`problems.normalise`), without letter case, spacing and the punctuation of sentences. The
hashes of a set are kept in the run store's cache under the set's digest, so they stay valid
wherever its files lie, and a plan compares two sets in milliseconds. Planning (`light`) reads no
file for this: it uses the hashes of sets that were read for their digests, and those that `zoo data
check`, `zoo data fetch` or `zoo sweep` cached.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo.catalog import BenchmarkCard, DataCard, ProblemCard
from zoo.data import problems
from zoo.data.problems import Problem
from zoo.errors import InputError
from zoo.store.run_store import replacing
from zoo.trials.identity import UNPINNED
from zoo.trials.trial import ALL, Evaluation, Trial

Hashes = array  # of 64-bit numbers, one a problem, in the order of the set

_ONE = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u2032", "'")
    | dict.fromkeys('"“”„«»`$?;。、¿…', " ")
)
"""Characters that are variants of another one, or only separate words."""
_APART = re.compile(r"\\[,: !()\[\]]|\.(?!\d)|(?<!\d)[,:]|[,:](?!\d|\s+(?!\d{3}\b)\d)")
"""LaTeX's spaces and brackets around formulas; stops, commas and colons but in numbers and lists of
numbers: `2, 3` is `2,3`, and `1, 500` is not `1,500`."""
_LOOSE = re.compile(r"(?<![^\W_]) | (?![^\W_])")
"""A space that separates no words or numbers."""


@dataclass(frozen=True, slots=True)
class SharedProblems:
    """How many problems of a benchmark, as it is measured, are in a training set."""

    data: DataCard
    benchmark: BenchmarkCard
    problems: int
    of: int
    """Problems of the benchmark that are measured."""


def hashes(loaded: Iterable[Problem]) -> Hashes:
    """A 64-bit hash of the `content` of each question, in order."""
    found = bytearray()
    for problem in loaded:
        text = content(problem.question).encode("utf-8", "surrogatepass")
        found += hashlib.blake2b(text, digest_size=8).digest()
    return array("Q", bytes(found))


def content(question: str) -> str:
    """The normalised text by which an evaluated question equals a training question.

    Ignored: letter case, invisible characters (zero-width spaces), dollar signs and other math
    delimiters, the punctuation of sentences, the kind of dash or quote, and spaces, unless a space
    separates two words or numbers. Kept: digits, signs and operators, brackets, `!`, primes, points
    and commas of numbers (`-1`, `1.5`, `5!`).
    """
    seen = unicodedata.normalize("NFKC", question)
    if not question.isascii():
        seen = "".join(c for c in seen if unicodedata.category(c) != "Cf")
    seen = _APART.sub(" ", seen.casefold().translate(_ONE))
    return _LOOSE.sub("", " ".join(seen.split()))


class Questions:
    """Hashes of the questions of sets, by the sets' digests.

    `cache` is the run store's cache folder; `light`: read no files of problems.
    """

    def __init__(self, cache: Path | None = None, *, light: bool = False) -> None:
        self.cache, self.light = cache, light
        self._known: dict[str, Hashes] = {}
        self._fresh: set[str] = set()

    def keep(self, digest: str, loaded: list[Problem]) -> None:
        """Remember a set that was read anyway."""
        self._known[digest] = hashes(loaded)
        self._fresh.add(digest)

    def of(self, card: ProblemCard, digest: str) -> Hashes | None:
        """Hashes of a card's questions, in order; None where the set is not on this machine, or
        not cached and `light` forbids reading it."""
        if digest == UNPINNED:
            return None
        if digest not in self._known:
            if (cached := self._cached(digest)) is not None:
                self._known[digest] = cached
            elif self.light and card.pocket is None:
                return None
            else:
                try:
                    self.keep(digest, problems.load(card, self.cache))
                except InputError:  # not fetched; reported where the set is needed
                    return None
        return self._known[digest]

    def save(self) -> None:
        """Write the hashes of sets that were read. Planning does not call this."""
        for digest in self._fresh:
            if file := self._file(digest):
                with replacing(file) as beside:
                    beside.write_bytes(self._known[digest].tobytes())
        self._fresh.clear()

    def _cached(self, digest: str) -> Hashes | None:
        file = self._file(digest)
        try:
            return array("Q", file.read_bytes()) if file else None
        except (OSError, ValueError):  # lost or cut off: it only costs reading the set again
            return None

    def _file(self, digest: str) -> Path | None:
        return self.cache / "questions" / f"{digest}.content" if self.cache else None


def overlaps(trials: Iterable[Trial], questions: Questions) -> list[SharedProblems]:
    """Problems that the benchmarks of trials share with their training data, where both are
    read."""
    widest: dict[tuple[str, str], tuple[Trial, Evaluation]] = {}
    for trial in {(t.data.name, id(t.evaluations)): t for t in trials}.values():
        for e in trial.evaluations:
            pair = trial.data.name, e.benchmark.name
            if pair not in widest or _problems(e) > _problems(widest[pair][1]):
                widest[pair] = trial, e
    trained: dict[str, set[int]] = {}
    found: list[SharedProblems] = []
    for trial, e in widest.values():
        if _disjoint(trial.data, e.benchmark):
            continue
        train = questions.of(trial.data, trial.data_digest)
        test = questions.of(e.benchmark, e.digest)
        if train is None or test is None:
            continue
        held, measured = trained.setdefault(trial.data_digest, set(train)), test[: e.problems]
        shared = sum(question in held for question in measured)
        found.append(SharedProblems(trial.data, e.benchmark, shared, len(measured)))
    return found


def _problems(evaluation: Evaluation) -> int:
    return evaluation.problems or ALL


def _disjoint(data: DataCard, benchmark: BenchmarkCard) -> bool:
    """Pocket problems of two splits, which share none by construction."""
    one, two = data.pocket, benchmark.pocket
    return one is not None and two is not None and one.split != two.split
