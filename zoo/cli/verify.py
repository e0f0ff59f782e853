"""`zoo verify`: the grader on the command line, one JSON line a row whatever the verdict."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from zoo.errors import Fault, InputError
from zoo.grading.verifier_cases import verify_file, verify_pair, write_rows


def run(
    cases: str | None, gold: str | None, prediction: str | None, rule: str, workers: int
) -> int:
    """Grade a file of rows (`-` is standard input), or one pair; returns the exit status."""
    pair = (gold, prediction)
    if cases is not None and pair == (None, None):
        path = None if cases == "-" else Path(cases)
        counts = verify_file(path, rule, sys.stdout, workers)
        told = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n)
        click.echo(told or "no rows", err=True)
        return 0
    if cases is None and gold is not None and prediction is not None:
        write_rows([verify_pair(gold, prediction, rule)], sys.stdout)
        return 0
    expected = "a file of rows, or one pair by --gold and --prediction"
    found = "both" if cases is not None else "only one of --gold, --prediction"
    raise InputError(Fault("verify", "nothing to grade" if not any(pair) else found, expected))
