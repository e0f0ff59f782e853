"""`zoo verify`: verdicts of given answers, each with the steps that led to it.

Rows have `gold` and `prediction`, optionally `extract`; each row gives one JSON line, in order,
also where it fails. A row that cannot be read is a `bad_gold` with its reason. It serves to debug
rewards, so it reads references generously: a boxed, a `####` and a long worked reference are
reduced to their answer first.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from zoo.errors import Fault, InputError, StateError
from zoo.grading.extract import RULES, extract, is_prose, rule_named
from zoo.grading.grader import Grader
from zoo.grading.verdict import Item, Result, Verdict

_CHUNK_ROWS = 512
_LONG_GOLD_CHARS = 120


def verify_file(path: Path | None, rule: str, out: TextIO, workers: int = 1) -> dict[str, int]:
    """Grades a JSONL file of rows and writes one JSON line a row to `out`; returns the count of
    each verdict.

    Args:
        path: rows of `gold`, `prediction` and perhaps `extract`, which goes before `rule`; None
            is standard input, which is read to its end first.
        rule: one of `zoo.grading.RULES`; the command line's default is `auto`.
        out: where the rows go, flushed after every chunk.
        workers: how many symbolic workers may run at once.

    Raises:
        InputError: exit code 2, for an unknown `rule` or a file that is absent or no text;
            nothing is then written. Verdicts do not change the exit code: it is 0 for a file that
            was read to its end.
        StateError: `out` cannot be written; what came before is.
    """
    rule_named(rule)
    counts = dict.fromkeys(Verdict, 0)
    lines = ((at, line) for at, line in enumerate(_lines(path), 1) if line.strip())
    with ExitStack() as stack:
        graders: dict[str, Grader] = {}
        while chunk := list(islice(lines, _CHUNK_ROWS)):
            rows = _verify_rows(chunk, rule, graders, stack, workers)
            for row in rows:
                counts[Verdict(row["verdict"])] += 1
            write_rows(rows, out)
    return {verdict.value: n for verdict, n in counts.items()}


def verify_pair(gold: str, prediction: str, rule: str = "auto") -> dict[str, Any]:
    """The row for one pair, as `verify_file` writes it, with `line` 1.

    Raises:
        InputError: for an unknown `rule`.
    """
    with Grader(rule) as grader:
        (result,) = grader.grade([Item(read_gold(gold), prediction)])
    return _row(1, result)


def write_rows(rows: Iterable[Mapping[str, Any]], out: TextIO) -> None:
    """Write rows as JSON lines.

    Raises:
        StateError: they cannot be written; a reader that went away stays a `BrokenPipeError`.
    """
    try:
        out.write("".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows))
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StateError(f"the rows cannot be written: {error.strerror or error}") from None


def read_gold(text: str) -> str:
    """The reference answer in a reference that may be boxed, end in `#### N`, or be a whole worked
    solution.
    """
    if "boxed" in text or "fbox" in text or "####" in text:
        return extract(text, "auto") or text
    if len(text) > _LONG_GOLD_CHARS and is_prose(text):
        return extract(text, "auto") or text
    return text


def _lines(path: Path | None) -> Iterator[str]:
    """The lines of the file, all decoded before the first is used; a byte order mark is none of
    them.
    """
    try:
        with open(path or 0, "rb", closefd=path is not None) as file:  # 0: standard input
            text = file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        place = "standard input" if path is None else str(path)
        expected = "a UTF-8 file of one JSON object a line"
        raise InputError(Fault(place, f"unreadable: {error}", expected)) from None
    return iter(text.split("\n"))


def _verify_rows(
    chunk: list[tuple[int, str]],
    rule: str,
    graders: dict[str, Grader],
    stack: ExitStack,
    workers: int,
) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    asked: dict[str, list[tuple[int, Item]]] = {}
    for number, line in chunk:
        try:
            named, item = _read_row(line, rule)
        except (ValueError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            blank = Result(Verdict.BAD_GOLD, "", None, False, "gold", 0.0, why)
            rows[number] = _row(number, blank)
            continue
        asked.setdefault(named, []).append((number, item))
    for named, numbered in asked.items():
        if named not in graders:
            graders[named] = stack.enter_context(Grader(named, workers=workers))
        graded = graders[named].grade([item for _, item in numbered])
        for (number, _), result in zip(numbered, graded, strict=True):
            rows[number] = _row(number, result)
    return [rows[number] for number, _ in chunk]


def _read_row(line: str, rule: str) -> tuple[str, Item]:
    row = json.loads(line)
    if not isinstance(row, Mapping):
        raise ValueError(f"a JSON object was expected, found {type(row).__name__}")
    for key in ("gold", "prediction"):
        if key not in row:
            raise ValueError(f"the row has no '{key}'")
    named = row.get("extract") or rule
    if named not in RULES:
        raise ValueError(f"unknown extraction rule '{named}'; one of {', '.join(RULES)}")
    gold, prediction = (_text(row[key]) for key in ("gold", "prediction"))
    return named, Item(read_gold(gold), prediction)


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _row(number: int, result: Result) -> dict[str, Any]:
    row = {
        "line": number,
        "verdict": result.verdict.value,
        "gold": result.gold,
        "prediction": result.prediction,
        "by": result.by,
        "ms": round(result.ms, 3),
    }
    return row | ({"error": result.error} if result.error else {})
