"""Tables of a report as files that a paper takes: CSV with full numbers, LaTeX (booktabs) and
Markdown with the digits that are shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.charts.figures import as_csv
from zoo.findings.format import DASH
from zoo.store.run_store import write_text

FOLDER = "report/tables"
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{mark: f"\\{mark}" for mark in "&%$#_"},
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{RIGHTWARDS ARROW}": r"$\to$",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
Row = tuple[object, ...]


@dataclass(frozen=True)
class Table:
    """A table with its caption. `rows` are values, None where there is none; `shown` says how a
    value of a column is written, by the column's name."""

    name: str
    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    shown: dict[str, Callable[[float], str]]

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The rows as a reader sees them."""
        forms = [self.shown.get(name) for name in self.head]
        return [
            tuple(_text(value, form) for value, form in zip(row, forms, strict=True))
            for row in self.rows
        ]

    @property
    def csv(self) -> str:
        """Full numbers."""
        return as_csv([self.head, *self.rows])

    @property
    def markdown(self) -> str:
        """A table of GitHub's Markdown."""
        lines = [self.head, tuple("---" for _ in self.head), *self.texts]
        return "".join(f"| {' | '.join(map(markdown_text, line))} |\n" for line in lines)

    def latex(self, number: int) -> str:
        """A floating table in booktabs' style; needs the package booktabs."""
        numeric = [all(isinstance(row[i], (int, float, type(None))) for row in self.rows)
                   for i in range(len(self.head))]  # fmt: skip
        columns = "".join("r" if right else "l" for right in numeric)
        lines = [rf"{' & '.join(map(latex_text, line))} \\" for line in (self.head, *self.texts)]
        return "\n".join(
            [
                "% needs \\usepackage{booktabs}",
                r"\begin{table}[t]",
                r"  \centering",
                rf"  \caption{{\textbf{{{latex_text(self.title)}.}} {latex_text(self.caption)}}}",
                rf"  \label{{tab:{number}-{self.name}}}",
                rf"  \begin{{tabular}}{{{columns}}}",
                r"    \toprule",
                f"    {lines[0]}",
                r"    \midrule",
                *(f"    {line}" for line in lines[1:]),
                r"    \bottomrule",
                r"  \end{tabular}",
                r"\end{table}",
                "",
            ]
        )


@dataclass(frozen=True)
class NumberedTable:
    """A table with its place in the report."""

    number: int
    table: Table

    @property
    def stem(self) -> str:
        """Name of its files, without the ending."""
        return f"table-{self.number}-{self.table.name}"


def numbered(tables: Iterable[Table]) -> list[NumberedTable]:
    """Those with rows, in their order."""
    return [NumberedTable(i, one) for i, one in enumerate((t for t in tables if t.rows), 1)]


def write_tables(found: Sequence[NumberedTable], folder: Path) -> None:
    """Write `report/tables/table-N-NAME.{csv,tex,md}` into a sweep's folder; those of an earlier
    report go."""
    place, kept = folder / FOLDER, set[str]()
    for one in found:
        table = one.table
        caption = f"**Table {one.number}. {markdown_text(table.title)}.** {table.caption}"
        texts = {
            "csv": table.csv,
            "tex": table.latex(one.number),
            "md": f"{caption}\n\n{table.markdown}",
        }
        for ending, text in texts.items():
            write_text(place / f"{one.stem}.{ending}", text, durable=False)
            kept.add(f"{one.stem}.{ending}")
    for path in place.glob("table-*"):
        if path.name not in kept:
            path.unlink()


def latex_text(text: str) -> str:
    """A text with all that LaTeX reads as its own taken literally."""
    return "".join(_SPECIAL.get(mark, mark) for mark in _CONTROL.sub("\ufffd", text))


def markdown_text(text: str) -> str:
    """A text for a cell or a sentence of Markdown: no markup, no HTML, one line."""
    text = _CONTROL.sub(" ", text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([|*_`\[\]])", r"\\\1", text)


def _text(value: object, form: Callable[[float], str] | None) -> str:
    if value is None:
        return DASH
    if isinstance(value, (int, float)) and form is not None:
        return form(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
