"""Problems of a card: read from its source, filtered, counted and compared with the card.

Rows keep the order of the source. Only filters of the card drop rows, and each drop is counted; a
row without a problem or a reference is an error unless the card filters such rows. Nothing is
downloaded: a missing source is an error with the command that fetches it. `render` turns a problem
into a prompt, for training and evaluation alike.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo.catalog import BenchmarkCard, DataCard, ProblemCard, PromptCard, Rows
from zoo.data import places
from zoo.data.places import NotFetched
from zoo.data.rows import read
from zoo.errors import Fault, InputError
from zoo.pocket import generator as pocket


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with its reference answer. `id` is stable: from the source, or from the text."""

    id: str
    question: str
    answer: str
    level: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows were read, what each filter left out (in order, with the filters that are off
    not in it) and how many problems are left."""

    read: int
    dropped: dict[str, int]
    kept: int


def load(card: ProblemCard, cache: Path | None = None) -> list[Problem]:
    """All problems of a card, in order.

    Args:
        cache: the run store's cache folder, where fetched files of git repositories lie.

    Raises:
        NotFetched: rows of another machine that were not fetched.
        InputError: a file or column that is not there, an unreadable row, or a count or digest that
            the card denies.
    """
    problems, counts = load_counted(card, cache)
    if faults := disagreements(card, problems, counts):
        raise InputError(faults)
    return problems


def load_counted(card: ProblemCard, cache: Path | None = None) -> tuple[list[Problem], Counts]:
    """The problems of a card and the counts of its filters; not checked against the card.

    Raises:
        InputError: as `load`, but for counts and digest.
    """
    try:
        left = list(_rows(card, cache))
        read_, dropped = len(left), {}
        for name, keep in _filters(card, cache):
            before, left = len(left), [problem for problem in left if keep(problem)]
            dropped[name] = before - len(left)
    except NotFetched as missing:  # perhaps of a card that this one names: one fetch brings all
        hint = f"`zoo data fetch {card.name}`"
        raise NotFetched([replace(fault, hint=hint) for fault in missing.faults]) from None
    return left, Counts(read_, dropped, len(left))


def disagreements(card: ProblemCard, problems: list[Problem], counts: Counts) -> list[Fault]:
    """Statements of a card about its problems that do not match them."""
    hint = "the source changed, or the card is of another one"
    faults = [
        Fault(card.name, f"{found} {what}", f"{said}, as in the card (`{key}`)", hint)
        for what, key, said, found in (
            ("rows", "n", card.n, counts.read),
            ("problems after the filters", "kept", card.kept, counts.kept),
        )
        if said not in (None, found)
    ]
    if card.digest not in (None, found := digest(problems)) and not faults:
        said = f"{card.digest}, as in the card (`digest`)"
        faults.append(Fault(card.name, f"problems of the digest {found}", said, hint))
    if not problems:
        hint = f"read from {card.local.path}" if card.local else ""
        left_out = ", ".join(f"{name} {n:,}" for name, n in counts.dropped.items() if n)
        found = f"no problems: of {counts.read:,} rows its filters leave out all ({left_out})"
        found = found if counts.read else "no problems"
        faults.append(Fault(card.name, found, "at least one", hint))
    return faults


def render(prompt: PromptCard, problem: Problem) -> str:
    """The prompt that a model sees for `problem`; braces in the problem are kept."""
    return prompt.template.replace("{problem}", problem.question)


def normalise(text: str) -> str:
    """The text that identifies a problem: Unicode compatibility forms unified (NFKC), white space
    collapsed. Case is kept, since `$A$` and `$a$` differ; ignoring it merges no further pair in
    MATH.
    """
    return " ".join(unicodedata.normalize("NFKC", text).split())


def digest(problems: list[Problem]) -> str:
    """Digest of texts and references, white space collapsed: a hub copy and a local copy of the
    same problems agree.
    """
    hasher = hashlib.sha256()
    for problem in problems:
        for text in (problem.question, problem.answer):
            hasher.update(" ".join(text.split()).encode("utf-8") + b"\0")
    return hasher.hexdigest()[:16]


def by_level(problems: list[Problem]) -> dict[str, int]:
    """How many problems each level has, sorted; problems without one under an empty text."""
    return dict(sorted(Counter(problem.level for problem in problems).items()))


def files(card: ProblemCard, cache: Path | None = None) -> list[Path]:
    """Every file that loading a card reads, those of the cards that it names among them.

    Raises:
        NotFetched: one of them was not fetched.
        InputError: a local file that is not there.
    """
    found = [path for _, path, _ in _tables(card, cache)]
    for used in card.uses:
        if isinstance(used, DataCard | BenchmarkCard):
            found += files(used, cache)
    return found


# -- sources ---------------------------------------------------------------------------------------


def _rows(card: ProblemCard, cache: Path | None) -> Iterator[Problem]:
    if card.pocket is not None:
        source = card.pocket
        yield from _generated(source.level, source.split, source.n, source.seed)
    for part in card.built.parts if card.built else ():
        for problem in load(card.used(DataCard, part.data), cache):
            if not part.levels or problem.level in part.levels:
                yield problem
    for name, path, how in _tables(card, cache):
        for row in read(path, how):
            if not card.filters.empty and not (row.problem.strip() and row.answer):
                what = "problem" if row.answer else f"reference (gold: {how.gold})"
                expected = "a problem and its reference in every row"
                hint = "`filters: {empty: true}` in a card leaves such rows out, counted"
                raise InputError(Fault(f"{path}:{row.line}", f"an empty {what}", expected, hint))
            text = hashlib.sha256(row.problem.encode("utf-8")).hexdigest()[:12]
            yield Problem(f"{name}-{row.line}-{text}", row.problem, row.answer, row.level)


@lru_cache(maxsize=16)
def _generated(level: Any, split: Any, n: int, seed: int) -> tuple[Problem, ...]:
    made = pocket.generate(level, split, n, seed)
    return tuple(Problem(p.id, p.question, p.answer, p.level) for p in made)


def _tables(card: ProblemCard, cache: Path | None) -> list[tuple[str, Path, Rows]]:
    """Files of a card's own source: a name for ids, where each lies, and how it is read."""
    if card.local is not None:
        path = Path(card.local.path)
        if not os.path.isfile(path):
            found = "a folder" if os.path.isdir(path) else "no such file"
            hint = f"`local.path` of the card '{card.name}' starts at the card's own folder"
            raise InputError(Fault(str(path), found, "a jsonl or parquet file", hint))
        return [(path.stem, path, card.local)]
    if card.hub is not None:
        found = places.hub_files(card.hub)
        if found is None:
            raise NotFetched(Fault(card.name, f"data set {card.hub.repo} is not on this machine"))
        names = [name.rsplit(".", 1)[0].replace("/", "-") for name in card.hub.files]
        return [(name, path, card.hub) for name, path in zip(names, found, strict=True)]
    if card.git is not None:
        path = places.git_file(card.git, cache) if cache else None
        if path is None or not path.is_file():
            what = f"{card.git.path} of {card.git.repo} (git)"
            raise NotFetched(Fault(card.name, f"{what} is not on this machine"))
        return [(Path(card.git.path).stem, path, card.git)]
    return []


# -- filters ---------------------------------------------------------------------------------------


def _filters(
    card: ProblemCard, cache: Path | None
) -> Iterator[tuple[str, Callable[[Problem], bool]]]:
    """The active filters, in order: name, and the predicate that keeps a problem."""
    filters = card.filters
    if filters.empty:
        yield "empty", lambda problem: bool(problem.question.strip() and problem.answer)
    if limit := filters.max_prompt_chars:
        prompt = card.used(PromptCard, filters.prompt) if filters.prompt else None

        def short(problem: Problem) -> bool:
            return len(render(prompt, problem) if prompt else problem.question) <= limit

        yield "max_prompt_chars", short
    if filters.duplicates:
        seen: set[str] = set()

        def first(problem: Problem) -> bool:
            before = len(seen)
            seen.add(normalise(problem.question))
            return len(seen) > before

        yield "duplicates", first
    for name in filters.overlap:
        held_out = {normalise(p.question) for p in load(card.used(BenchmarkCard, name), cache)}
        yield f"overlap {name}", lambda p, texts=held_out: normalise(p.question) not in texts
