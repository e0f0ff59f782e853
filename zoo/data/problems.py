"""Problems from a card: the pocket generator, or a local jsonl or parquet file with a column map.

Rows are read in the order of the source. A row without a problem or a reference is an error that
names the line, never a smaller set in silence. `render` is the one place where a problem becomes a
prompt, in training and evaluation alike.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo.catalog import BenchmarkCard, DataCard, LocalSource, PromptCard
from zoo.errors import Fault, InputError, did_you_mean
from zoo.grading import extract
from zoo.pocket import problems as pocket


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem with its reference answer. `id` is stable: from the source, or from the text."""

    id: str
    question: str
    answer: str
    level: str = ""


def load(card: DataCard | BenchmarkCard) -> list[Problem]:
    """All problems of a card, in order.

    Raises:
        InputError: a file or column that is not there, an unreadable row, or a
            count that the card denies.
    """
    if card.pocket is not None:
        source = card.pocket
        found = list(_generated(source.level, source.split, source.n, source.seed))
    else:
        assert card.local is not None
        found = list(_from_file(card.local))
    if isinstance(card, BenchmarkCard) and card.n not in (None, len(found)):
        raise InputError(Fault(card.name, f"{len(found)} problems", f"{card.n}, as the card says"))
    if not found:
        raise InputError(Fault(card.name, "no problems", "at least one"))
    return found


def render(prompt: PromptCard, problem: Problem) -> str:
    """The prompt that a model sees for `problem`; braces in the problem are left alone."""
    return prompt.template.replace("{problem}", problem.question)


def digest(problems: list[Problem]) -> str:
    """Digest of the normalised texts and references: a hub copy and a local copy of the same
    problems agree.
    """
    hasher = hashlib.sha256()
    for problem in problems:
        for text in (problem.question, problem.answer):
            hasher.update(" ".join(text.split()).encode("utf-8", "surrogatepass") + b"\0")
    return hasher.hexdigest()[:16]


@lru_cache(maxsize=16)
def _generated(level: Any, split: Any, n: int, seed: int) -> tuple[Problem, ...]:
    made = pocket.generate(level, split, n, seed)
    return tuple(Problem(p.id, p.question, p.answer, p.level) for p in made)


def _from_file(source: LocalSource) -> Iterator[Problem]:
    columns = source.columns
    for line, row in _rows(Path(source.path)):
        place = f"{source.path}:{line}"
        values = {}
        for field in ("problem", "answer"):
            column = getattr(columns, field)
            if column not in row:
                hint = (
                    did_you_mean(column, list(row)) or f"columns here: {', '.join(map(str, row))}"
                )
                raise InputError(Fault(place, f"no column '{column}' (columns.{field})", hint=hint))
            values[field] = "" if row[column] is None else str(row[column])
        gold = (
            values["answer"] if source.gold == "as-is" else extract(values["answer"], source.gold)
        )
        if not values["problem"].strip() or not (gold or "").strip():
            empty = (
                "problem" if not values["problem"].strip() else f"reference (gold: {source.gold})"
            )
            raise InputError(
                Fault(place, f"an empty {empty}", "a problem and its reference in every row")
            )
        id_ = hashlib.sha256(values["problem"].encode("utf-8", "surrogatepass")).hexdigest()[:12]
        level = str(row.get(columns.level, "")) if columns.level else ""
        yield Problem(f"{Path(source.path).stem}-{line}-{id_}", values["problem"], str(gold), level)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet

        yield from enumerate(pyarrow.parquet.read_table(path).to_pylist(), start=1)
        return
    line = 0
    try:
        with path.open(encoding="utf-8") as stream:
            for line, text in enumerate(stream, start=1):
                if text.strip():
                    row = json.loads(text)
                    if not isinstance(row, dict):
                        raise InputError(
                            Fault(f"{path}:{line}", "not an object", "one JSON object a line")
                        )
                    yield line, row
    except OSError as error:
        raise InputError(
            Fault(str(path), f"cannot be read: {error.strerror}", "a jsonl file")
        ) from error
    except ValueError as error:
        raise InputError(
            Fault(f"{path}:{line}", f"not JSON: {error}", "one JSON object a line")
        ) from error
