"""Imported completions: read as hostile input, stored as samples, graded like those of zoo.

One JSON object a line: `id` or `problem` (the text) identifies the problem, `completion` is the
response without its prompt; `sample` numbers the responses to a problem (else they count in the
order of the file), `finish` is `stop` or `length`. All problems need equally many. The record has
`external`, and the id is a hash of the rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.data import Problem
from zoo.data.problems import normalise
from zoo.errors import Fault, InputError, did_you_mean, listed, told
from zoo.grading.extract import MAX_TEXT_CHARS
from zoo.store import record as records
from zoo.store.parquet import write_parquet
from zoo.store.record import Record
from zoo.store.run_store import Store, claim, write_json
from zoo.trials import identity

KEYS = ("id", "problem", "completion", "sample", "finish")
FINISHES = ("stop", "length")
MAX_LINE_BYTES = 8 * MAX_TEXT_CHARS
MAX_ROWS = 1_000_000
MAX_SAMPLES = 4096
MAX_FAULTS = 20


@dataclass(frozen=True, slots=True)
class GivenCompletion:
    """One response to a problem, by its index in the benchmark."""

    problem: int
    sample: int
    text: str
    finish: str


def read(path: Path, problems: Sequence[Problem]) -> tuple[list[GivenCompletion], int]:
    """The completions of a file in the benchmark's order, and how many a problem has.

    Raises:
        InputError: everything that is wrong with the file, each at its line (the first twenty).
    """
    reader = _CompletionReader(path, problems)
    for number, line in _lines(path):
        reader.take(number, line)
        if len(reader.faults) >= MAX_FAULTS:
            break
    return reader.done()


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers; one that is too long comes cut, so that it is refused."""
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                yield number, line
                if len(line) > MAX_LINE_BYTES or number > MAX_ROWS:
                    return
    except OSError as error:
        raise InputError(Fault(str(path), f"cannot be read: {error.strerror}")) from error


class _CompletionReader:
    """The rows read so far, and their errors."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path, self.problems = path, problems
        self.faults: list[Fault] = []
        self._ids = {problem.id: at for at, problem in enumerate(problems)}
        self._texts = {normalise(problem.question): at for at, problem in enumerate(problems)}
        self._found: dict[tuple[int, int], GivenCompletion] = {}
        self._next = [0] * len(problems)

    def take(self, number: int, line: bytes) -> None:
        """Read one line."""
        try:
            row = self._row(number, line)
            at = self._problem(row)
            sample = self._sample(row, at)
            text, finish = row.get("completion"), row.get("finish", "stop")
            if not isinstance(text, str):
                raise _Wrong(f"`completion` is {told(text)}", "text")
            if finish not in FINISHES:
                raise _Wrong(f"`finish` is {told(finish)}", "stop or length")
            if (at, sample) in self._found:
                name = self.problems[at].id
                raise _Wrong(f"sample {sample} of problem '{name}' a second time", "each once")
        except _Wrong as wrong:
            self.faults.append(Fault(f"{self.path}:{number}", *wrong.args))
            return
        self._found[at, sample] = GivenCompletion(at, sample, text, finish)
        self._next[at] = max(self._next[at], sample + 1)

    def _row(self, number: int, line: bytes) -> dict[str, Any]:
        if len(line) > MAX_LINE_BYTES:
            raise _Wrong("a line that is too long", f"at most {MAX_LINE_BYTES:,} bytes")
        if number > MAX_ROWS:
            raise _Wrong("too many rows", f"at most {MAX_ROWS:,}")
        try:
            row = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise _Wrong(f"no JSON object ({str(error)[:80]})", "one JSON object a line") from error
        if not isinstance(row, dict):
            raise _Wrong(f"a row that is {told(row)}", "one JSON object a line")
        for key in row:
            if key not in KEYS:
                hint = did_you_mean(key, list(KEYS))
                raise _Wrong(f"unknown key '{key[:60]}'", f"of {', '.join(KEYS)}", hint)
        return row

    def _problem(self, row: dict[str, Any]) -> int:
        if "id" in row:
            said, known, key = row["id"], self._ids, "id"
        elif "problem" in row:
            said, key = row["problem"], "problem"
            known = self._texts
            said = normalise(said) if isinstance(said, str) else said
        else:
            raise _Wrong("no `id` and no `problem`", "one of them in every row")
        at = known.get(said) if isinstance(said, str) else None
        if at is None:
            expected = f"the {key} of a problem of the benchmark"
            raise _Wrong(f"`{key}` is {told(said)}", expected)
        return at

    def _sample(self, row: dict[str, Any], at: int) -> int:
        sample = row.get("sample")
        if sample is None:
            sample = self._next[at]
        if not isinstance(sample, int) or isinstance(sample, bool) or sample < 0:
            raise _Wrong(f"`sample` is {told(sample)}", "a number from 0")
        if sample >= MAX_SAMPLES:
            raise _Wrong(f"`sample` is {sample}", f"at most {MAX_SAMPLES - 1}")
        return sample

    def done(self) -> tuple[list[GivenCompletion], int]:
        """All completions, if nothing is wrong."""
        if not self.faults:
            self._count()
        if self.faults:
            raise InputError(self.faults)
        return [self._found[key] for key in sorted(self._found)], max(self._next)

    def _count(self) -> None:
        """Every problem must have the samples 0 to N - 1."""
        each = max(self._next, default=0)
        if not each:
            self.faults.append(Fault(str(self.path), "no rows", "one completion a problem"))
            return
        have = [0] * len(self.problems)
        for at, _ in self._found:
            have[at] += 1
        if short := [p.id for p, n in zip(self.problems, have, strict=True) if n != each]:
            found = f"{len(short):,} of {len(have):,} problems have not {each}: {listed(short, 3)}"
            hint = "`--problems N` compares with the first N of the benchmark"
            expected = "equally many completions of every problem"
            self.faults.append(Fault(str(self.path), found, expected, hint))


class _Wrong(Exception):
    """The error of a row: found, expected, hint."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


def keep(
    store: Store,
    name: str,
    benchmark: tuple[str, str],
    problems: Sequence[Problem],
    rows: Sequence[GivenCompletion],
    each: int,
) -> str:
    """Store completions as samples, unless they are stored; returns their id.

    Args:
        name: of their source, for tables.
        benchmark: name and digest.
    """
    text = json.dumps([[problems[r.problem].id, r.sample, r.text, r.finish] for r in rows])
    content = hashlib.sha256(text.encode()).hexdigest()
    payload: dict[str, Any] = {
        "identity": identity.IDENTITY_VERSION,
        "stage": "sample",
        "policy": {"external": content},
        "benchmark": benchmark[1],
        "problems": len(problems),
        "samples": each,
    }
    id_ = f"external.{name}.{benchmark[0]}-{identity.digest(payload)}"
    folder = store.folder("samples", id_)
    with claim(folder):
        if (found := records.read(folder)) is not None and found.done():
            return id_
        about = {
            "external": True,
            "policy": name,
            "benchmark": benchmark[0],
            "problems": len(problems),
            "samples": each,
        }
        columns = {
            "id": [problems[r.problem].id for r in rows],
            "prompt": [problems[r.problem].question for r in rows],
            "gold": [problems[r.problem].answer for r in rows],
            "text": [r.text for r in rows],
            "token_ids": [None] * len(rows),
            "finish": [r.finish for r in rows],
        }
        write_json(folder / "sample.json", {"identity": payload, "about": about})
        write_parquet(store.completions(id_), columns)
        made = Record(
            form=records.FORM,
            id=id_,
            stage="sample",
            state="done",
            round=0,
            metrics={"n": float(len(rows))},
            identity=payload,
            started=time.time(),
            about=about,
        )
        records.write(folder, made)
    return id_
