"""The results of a sweep that has run: the page in its folder, and the table in the terminal.

Both show the same trials, whose folders are read once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from zoo.lock import lock
from zoo.planning.study import Study

if TYPE_CHECKING:
    from zoo.findings.collect import Results

MOST_ROWS = 30


class SweepReport:
    """The report of a study whose trials do not change any more."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @cached_property
    def results(self) -> Results:
        """Of all trials of the plan, with the seals of the lock as it is now.

        Raises:
            StateError: a journal or record that cannot be read.
        """
        from zoo.findings.collect import collect

        study = self.study
        seals = replace(study, lock=lock.read(study.folder)).seals  # a sweep has written it since
        return collect(study.manifest.experiment, study.trials, study.store, seals)

    def write(self, form: Literal["html", "md"] = "html") -> Path:
        """Write the page and its tables; returns the page, or the same text as markdown.

        Raises:
            StateError: as `results`.
        """
        from zoo.report.page import write

        return write(self.results, self.study.folder, form)

    def write_or_excuse(self) -> Path | None:
        """As `write`, or a note why there is no page: a sweep that ran is worth more than it."""
        try:
            return self.write()
        except Exception as error:
            click.echo(f"note: no report ({type(error).__name__}: {error})", err=True)
            return None

    def table(self) -> str | None:
        """Before and after of the chosen trials, or None where they are too many to read."""
        from zoo.findings.collect import collect
        from zoo.report.terminal import table

        study = self.study
        if len(study.chosen) > MOST_ROWS:
            return None
        if len(study.chosen) == len(study.trials):
            return table(self.results)
        return table(collect(study.manifest.experiment, study.chosen, study.store))
