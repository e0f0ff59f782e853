"""The report as Markdown: question, answer, tables, figures, methods; for a draft."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo.charts.figures import FOLDER, NumberedFigure
from zoo.findings.collect import Results
from zoo.findings.view import scope, summary, voided
from zoo.report.answer_view import answer_notes, shown_claims
from zoo.report.health import health_notes
from zoo.report.paragraph import paragraphs
from zoo.report.table_files import NumberedTable, markdown_text
from zoo.store.run_store import write_text

NAME = "report.md"
MADE_UP = (
    "**Not a real result.** These numbers come from a simulated trainer or a rehearsal with "
    "stand-ins; they are no evidence about the models named."
)


def write_markdown(
    results: Results,
    drawn: Sequence[NumberedFigure],
    tables: Sequence[NumberedTable],
    folder: Path,
) -> Path:
    """Write `report.md` into a sweep's folder; its figures are the SVG files beside it."""
    write_text(folder / NAME, markdown(results, drawn, tables), durable=False)
    return folder / NAME


def markdown(
    results: Results, drawn: Sequence[NumberedFigure], tables: Sequence[NumberedTable]
) -> str:
    """The whole text."""
    return "\n\n".join(_parts(results, drawn, tables)) + "\n"


def _parts(
    results: Results, drawn: Sequence[NumberedFigure], tables: Sequence[NumberedTable]
) -> Iterator[str]:
    experiment = results.experiment
    yield f"# {markdown_text(experiment.question)}"
    if results.made_up:
        yield MADE_UP
    if experiment.prediction:
        yield f"**Predicted before the run:** {markdown_text(experiment.prediction)}"
    yield "## The answer"
    yield from map(markdown_text, answer_notes(results))
    for claim in shown_claims(results.answer):
        yield f"**{markdown_text(claim.says)}** ({markdown_text(claim.id)}, {claim.standing})"
        yield "\n".join(
            f"- **{v.word}**: {markdown_text(f'{v.label}: ' * bool(v.label) + v.sentence)}"
            for v in claim.verdicts
        )
    yield markdown_text(scope(results))
    yield from _list(summary(results))
    if void := voided(results):
        yield "## Void trials"
        yield "Set aside by hand, in no mean or comparison. A claim sealed before is not judged."
        yield from _list(
            f"{one['label']}: {one['why']} (set aside {one['when']}"
            + f"; {one['now']}" * bool(one["now"])
            + ")"
            for one in void
        )
    yield "## Tables"
    for one in tables:
        title = f"**Table {one.number}. {markdown_text(one.table.title)}.**"
        yield f"{title} {markdown_text(one.table.caption)}"
        yield one.table.markdown.rstrip()
    yield "## Figures"
    for one in drawn:
        title = f"Figure {one.number}. {markdown_text(one.figure.title)}."
        yield f"![{title}]({FOLDER}/{one.stem}.svg)"
        yield f"**{title}** {markdown_text(one.figure.caption)}"
    yield "## Health of training"
    yield from _list(health_notes(results))
    yield "## Methods"
    yield from map(markdown_text, paragraphs(results))
    yield "Sources: [references.bib](report/references.bib)."


def _list(lines: Iterable[str]) -> Iterator[str]:
    if text := "\n".join(f"- {markdown_text(line)}" for line in lines):
        yield text
