"""Results on paper: `report.html`, one file that needs nothing else, and CSV files beside it.

All text goes through the template's escaping: completions, logs and file names come from models and
other people. The same results give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from zoo.charts.figures import NumberedFigure, as_csv, figures, write_figures
from zoo.charts.pass_at_k import ABSENT
from zoo.findings import view
from zoo.findings.answer_csv import cell_rows, claim_rows
from zoo.findings.collect import Results, rows
from zoo.findings.interactions import interactions_of
from zoo.report import answer_view, methods
from zoo.report.bibliography import bibliography
from zoo.report.cell_table import ONE_SEED, cell_table
from zoo.report.health import health_notes
from zoo.report.markdown import write_markdown
from zoo.report.paragraph import paragraphs
from zoo.report.study_tables import study_tables
from zoo.report.table_files import NumberedTable, numbered, write_tables
from zoo.store.run_store import write_text

HTML_NAME = "report.html"
Form = Literal["html", "md"]
Rows = Callable[[Results], Iterable[list[Any]]]
TABLES: dict[str, Rows] = {
    "results.csv": rows,
    "cells.csv": cell_rows,
    "claims.csv": claim_rows,
}
VERDICTS = {
    "correct": ("right", "✓ correct"),
    "wrong": ("wrong", "✗ wrong"),
    "no_answer": ("wrong", "✗ no answer"),
    "exhausted": ("wrong", "✗ exhausted the grader"),
    "bad_gold": ("unscored", "? reference unreadable"),
    "grader_fault": ("unscored", "? grader failed"),
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class Report:
    """Results with the figures and tables that are made of them."""

    results: Results
    figures: Sequence[NumberedFigure]
    tables: Sequence[NumberedTable]

    @classmethod
    def of(cls, results: Results, folder: Path | None = None) -> Report:
        """All figures and tables of results, with labels of behaviours from the sweep's folder."""
        found = interactions_of(results)
        drawn = figures(results, found)
        return cls(results, drawn, numbered(study_tables(results, found, folder)))


def write(results: Results, folder: Path, form: Form = "html") -> Path:
    """Write `report.html`, the CSV files beside it, and `report/` with figures, tables, methods and
    sources into `folder`; as Markdown `report.md` instead of the page. Returns the report's path.
    """
    made = Report.of(results, folder)
    for name, table in TABLES.items():
        write_text(folder / name, csv_text(results, table), durable=False)
    write_figures(made.figures, folder)
    write_tables(made.tables, folder)
    methods_text = "\n\n".join(paragraphs(results)) + "\n"
    write_text(folder / "report/methods.txt", methods_text, durable=False)
    write_text(folder / "report/references.bib", bibliography(results), durable=False)
    if form == "md":
        return write_markdown(results, made.figures, made.tables, folder)
    write_text(folder / HTML_NAME, html(results, made), durable=False)
    return folder / HTML_NAME


def csv_text(results: Results, table: Rows = rows) -> str:
    """A table as CSV; `results.csv` by default."""
    return as_csv(table(results))


def html(results: Results, made: Report | None = None) -> str:
    """The whole page. `made`: its figures and tables, where they are there already."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    page = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_plain,
    )
    page.globals |= {"verdict": _verdict, "shown": _shown}
    return page.get_template("template.html").render(**_context(made or Report.of(results)))


def _context(made: Report) -> dict[str, Any]:
    results = made.results
    pairs, chosen = view.samples(results)
    return {
        "experiment": results.experiment,
        "results": results,
        "claims": answer_view.shown_claims(results.answer),
        "answer_notes": answer_view.answer_notes(results),
        "scope": view.scope(results),
        "plan": view.plan_facts(results),
        "cells": cell_table(results),
        "one_seed": ONE_SEED,
        "rows": view.table_rows(results),
        "columns": _columns(results),
        "several_seeds": len(results.seeds) > 1,
        "summary": view.summary(results),
        "figures": {
            section: [one for one in made.figures if one.section == section]
            for section in ("effects", "interactions", "curves", "pass")
        },
        "tables": {one.table.name: one for one in made.tables},
        "pass_absent": ABSENT,
        "health": health_notes(results),
        "paragraphs": paragraphs(results),
        "samples": pairs,
        "chosen": chosen,
        "evaluations": methods.evaluation_rows(results),
        "trials": methods.trial_rows(results),
        "numbers": methods.number_rows(results),
        "stacks": methods.stacks(results),
        "notes": [
            *methods.round_notes(results),
            *methods.grading_notes(results),
            *methods.seed_notes(results),
        ],
        "provenance": methods.provenance(results),
        "failures": view.failures(results),
        "stopped": view.stopped(results),
        "voided": view.voided(results),
        "missing": [o.trial.id for o in results.outcomes if o.state == "missing"],
        "words": view.STATE_WORDS,
    }


def _columns(results: Results) -> list[tuple[str, list[tuple[str, str]]]]:
    """Benchmark -> its decodings (words, size), in the order of the headline's cells."""
    found: dict[str, list[tuple[str, str]]] = {}
    for e in results.headline:
        size = f"n = {e.problems or e.benchmark.n or 'all'}"
        found.setdefault(e.benchmark.name, []).append((view.decoding_words(e.decoding), size))
    return list(found.items())


def _plain(value: Any) -> Any:
    """Control characters and lone surrogates made visible; escaping comes after."""
    return _CONTROL.sub("\ufffd", value) if type(value) is str else value


def _verdict(name: str) -> tuple[str, str]:
    return VERDICTS.get(name.lower(), ("unscored", f"? {name.lower()}"))


def _shown(text: str) -> tuple[str, int]:
    """The part of a text that is shown, and how many characters are not."""
    return text[: view.LONGEST_TEXT], max(0, len(text) - view.LONGEST_TEXT)
