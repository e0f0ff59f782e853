"""Measurements of `zoo eval` as terminal text, rows of a table, and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from zoo.errors import printable
from zoo.evals.stages import Measurement
from zoo.planning.targets import Target
from zoo.trials.trial import Evaluation

Number = dict[str, Any]
"""A `JackknifeEstimate` as JSON."""
HEAD = ("model", "benchmark", "decoding", "measure", "value", "low", "high", "problems")


@dataclass(frozen=True)
class EvalRow:
    """One policy on one benchmark under one decoding."""

    name: str
    benchmark: str
    decoding: str
    measured: Measurement
    summary: dict[str, Any]
    """As `zoo.evals.depth.summary`, and perhaps `budget`."""
    external: bool = False
    target: Target | None = None
    evaluation: Evaluation | None = None

    @property
    def simulated(self) -> bool:
        """Whether its numbers are synthetic."""
        return self.target is not None and self.target.trial.simulated

    def as_data(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "model": self.name,
            "benchmark": self.benchmark,
            "decoding": self.decoding,
            "external": self.external,
            "simulated": self.simulated,
            "samples": self.measured.samples,
            "scores": self.measured.scores,
            "values": self.measured.values,
            "summary": self.summary,
        }


def lines(rows: Sequence[EvalRow], *, detail: bool = False) -> Iterator[str]:
    """A table of all rows; with `detail` a paragraph for each after it."""
    if any(row.simulated for row in rows):
        yield "SIMULATED: these numbers are no evidence about the models named."
    yield from _table(rows)
    if any(row.external for row in rows):
        yield "elsewhere: completions generated elsewhere, graded here"
    for row in rows if detail or any("budget" in row.summary for row in rows) else ():
        yield ""
        yield click.style(f"{_name(row)} on {row.benchmark}, {row.decoding}", bold=True)
        yield from (f"  {line}" for line in _details(row))


def _table(rows: Sequence[EvalRow]) -> Iterator[str]:
    head = (
        "model",
        "benchmark",
        "decoding",
        "n",
        "accuracy % (95 %)",
        "more",
        "box",
        "tokens",
        "cut",
    )
    cells = [head, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    for i, line in enumerate(cells):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield click.style(text.rstrip(), bold=i == 0)


def _cells(row: EvalRow) -> tuple[str, ...]:
    summary, values = row.summary, row.measured.values
    samples = summary["samples"]
    size = str(summary["problems"]) + (f"x{samples}" if samples > 1 else "")
    return (
        _name(row),
        row.benchmark,
        row.decoding,
        size,
        percent(summary[f"avg@{samples}"]),
        ", ".join(_best(summary)),
        _share(values.get("box_ratio")),
        "-" if (n := values.get("mean_length")) is None else f"{n:.0f}",
        _share(values.get("clipped_ratio")),
    )


def _name(row: EvalRow) -> str:
    return printable(row.name)


def _best(summary: dict[str, Any]) -> Iterator[str]:
    """The largest k of pass@k and of maj@k."""
    for kind in ("pass@", "maj@"):
        if names := [name for name in summary if name.startswith(kind)]:
            yield f"{names[-1]} {percent(summary[names[-1]], interval=False)}"


def percent(number: Number, *, interval: bool = True) -> str:
    """A share in percent with its interval."""
    if number["value"] is None:
        return "-"
    text = f"{100 * number['value']:.1f}"
    if interval and number["low"] is not None:
        text += f" ({100 * number['low']:.1f} to {100 * number['high']:.1f})"
    return text


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _details(row: EvalRow) -> Iterator[str]:
    summary = row.summary
    for kind, title in (("pass@", "pass@k"), ("maj@", "maj@k (equal answers are one)")):
        if found := [name for name in summary if name.startswith(kind)]:
            numbers = (f"{name.partition('@')[2]}: {percent(summary[name])}" for name in found)
            yield f"{title}: {', '.join(numbers)}"
    for key in ("level", "source"):
        if len(summary[key]) > 1:
            yield f"by {key}:"
            for name, number in summary[key].items():
                yield f"  {printable(name)}: {percent(number)}, {number['n']} problems"
    said = {k: v for k, v in summary["length"].items() if v is not None}
    if said:
        yield "tokens: " + ", ".join(f"{name} {value:.1f}" for name, value in said.items())
    texts = summary["texts"]
    ends = (f"{name.partition('/')[2]} {_share(v)}" for name, v in texts.items() if "/" in name)
    yield f"responses end: {', '.join(ends)}"
    yield (
        f"repeated 4-grams {_share(texts['repetition'])}, letters of another script in "
        f"{_share(texts['other_script'])}"
    )
    if mixed := summary.get("mixed_groups"):
        yield f"groups of {summary['samples']} with right and wrong responses: {percent(mixed)}"
    for budget, number in summary.get("budget", {}).items():
        yield f"cut after {budget} tokens: {percent(number)}"
    yield f"scores: {row.measured.scores}"


def table(rows: Sequence[EvalRow]) -> Iterator[tuple[Any, ...]]:
    """Every number as a row of a CSV file, shares from 0 to 1; with its head."""
    yield (*HEAD, "samples_id", "scores_id")
    for row in rows:
        ids = (row.measured.samples, row.measured.scores)
        place = (_name(row), row.benchmark, row.decoding)
        for name, value in row.measured.values.items():
            yield (*place, name, value, None, None, row.summary["problems"], *ids)
        for name, number in _numbers(row.summary, ""):
            numbers = (number["value"], number["low"], number["high"], number["n"])
            yield (*place, name, *numbers, *ids)


def _numbers(summary: dict[str, Any], prefix: str) -> Iterator[tuple[str, Number]]:
    for name, value in summary.items():
        if isinstance(value, dict) and set(value) == {"value", "low", "high", "n"}:
            yield f"{prefix}{name}", value
        elif isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}/")
        elif prefix:
            number = {"value": value, "low": None, "high": None, "n": None}
            yield f"{prefix}{name}", number
