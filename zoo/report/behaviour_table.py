"""Behaviours before and after training by model, from what `zoo behaviours` wrote.

Growth is stated over all responses, among right ones and within like lengths, beside the lengths,
so that behaviour and length can be seen to part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from zoo.behaviours.table import AHA, number, read_rows
from zoo.findings.collect import Results
from zoo.findings.format import points
from zoo.report.table_files import Row, Table

NAME = "behaviours"
BY = ("detector", "benchmark", "decoding", "model", "behaviour")
GROWTH = ("growth", "right", "like_length")
SHOWN: dict[str, Callable[[float], str]] = {
    **dict.fromkeys(("before %", "after %"), lambda share: f"{100 * share:.1f}"),
    **dict.fromkeys(
        ("growth", "of right ones", "in like lengths", "lowest trial", "highest trial"), points
    ),
    **dict.fromkeys(("tokens before", "tokens after"), lambda tokens: f"{tokens:.0f}"),
}


def behaviours_table(results: Results, folder: Path | None) -> Table:
    """A row for each detector, benchmark, model and behaviour; empty where nothing was labelled.

    Raises:
        StateError: a table in the sweep's folder that cannot be read.
    """
    ids = {found.trial.id for found in results.outcomes}
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in read_rows(folder) if folder else ():
        if row["trial"] in ids:
            groups.setdefault(tuple(row[name] for name in BY), []).append(row)
    return Table(
        NAME,
        "Reasoning behaviours before and after training",
        "Share of responses that show a behaviour, as keywords or a judge model label them: mean "
        "over all trials of a model. Growth in points over all responses, among right ones, and "
        "within responses of like length, with the lowest and highest trial of the last. Aha: "
        "trials that began below 10 % and grew within like lengths (95 % interval over problems "
        "above 0). Keywords under-detect.",
        (*BY, "trials", *SHOWN, "aha"),
        tuple(_row(key, own) for key, own in groups.items()),
        SHOWN,
    )


def _row(key: tuple[str, ...], own: Sequence[dict[str, str]]) -> Row:
    like = [v for row in own if (v := number(row["like_length"])) is not None]
    return (
        *(*key, len(own), _mean(own, "before"), _mean(own, "after")),
        *(_mean(own, name) for name in GROWTH),
        *(min(like, default=None), max(like, default=None)),
        *(_mean(own, "length_before"), _mean(own, "length_after")),
        f"{sum(row['aha'] == AHA for row in own)} of {len(own)}",
    )


def _mean(rows: Sequence[dict[str, str]], name: str) -> float | None:
    found = [v for row in rows if (v := number(row[name])) is not None]
    return fmean(found) if found else None
