"""`behaviours.csv` in a sweep's folder: growth of each behaviour in each trial, by one detector.

`zoo behaviours` writes it, one file for keywords and one for a judge; the report reads both.
"""

from __future__ import annotations

import csv
from pathlib import Path

from zoo.errors import Fault, StateError

BY_WORDS, BY_JUDGE = "behaviours.csv", "behaviours-judge.csv"
HEAD = (
    *("trial", "model", "seed", "detector", "benchmark", "decoding", "behaviour"),
    *("round_before", "round_after", "responses", "before", "after", "growth", "growth_low"),
    *("growth_high", "right", "right_low", "right_high", "like_length", "like_length_low"),
    *("like_length_high", "matched", "length_before", "length_after", "aha"),
)
AHA = str(True)


def read_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of both files of a sweep's folder, as texts; none where nothing was labelled.

    Raises:
        StateError: a file that is no such table.
    """
    found: list[dict[str, str]] = []
    for path in (folder / BY_WORDS, folder / BY_JUDGE):
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable(path) from error
        rows = list(csv.reader(text.splitlines()))
        if not rows or tuple(rows[0]) != HEAD or any(len(row) != len(HEAD) for row in rows):
            raise _unreadable(path)
        found += [dict(zip(HEAD, row, strict=True)) for row in rows[1:]]
    return found


def number(text: str) -> float | None:
    """A cell of it as a number; None where it is empty or none."""
    try:
        return float(text)
    except ValueError:
        return None


def _unreadable(path: Path) -> StateError:
    hint = "run `zoo behaviours` again, or move the file away"
    return StateError(Fault(str(path), "cannot be read", "a table of `zoo behaviours`", hint))
