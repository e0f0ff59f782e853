"""Numbers that the study published, beside ours.

Cards of benchmarks hold them (`published`): the base model greedily, the trained one at temperature
1.0. They are never subtracted from ours nor from one another: decodings differ, and so may prompts,
stop tokens and graders.
"""

from __future__ import annotations

from zoo.errors import plain
from zoo.findings.collect import Results
from zoo.findings.view import decoding_words
from zoo.judging.effects import cell_means
from zoo.manifest.schema import Decoding
from zoo.report.table_files import Row, Table
from zoo.trials.trial import Evaluation

BEFORE, AFTER = "study base %", "study trained %"


def published_table(results: Results) -> Table:
    """A row for each benchmark, decoding and cell whose model the study has a number for; no row in
    a rehearsal, whose models are stand-ins."""
    numbers = results.answer.numbers
    rows: list[Row] = []
    for e in results.headline:
        if not e.benchmark.published or any(o.trial.rehearsal for o in results.outcomes):
            continue
        metric = numbers.metrics.get(e.metric("acc"))
        if metric is None or metric.final is None:
            continue
        for found in cell_means(numbers, metric.name, numbers.cells):
            trial = numbers.trial_of[found.cell]
            known = e.benchmark.published.get(trial.start.name)
            if known is None:
                continue
            half = (found.interval[1] - found.interval[0]) / 2 if found.interval else None
            cell = (plain(found.cell.get(axis)) for axis in results.axes)
            ours = (decoding_words(e.decoding), same_as(e), found.base, found.mean, half, found.n)
            rows.append((e.benchmark.name, *cell, known.before, known.after, *ours))
    return Table(
        "published",
        "Numbers of the study and of this sweep",
        "Table 1 of the study (arXiv:2503.18892) in percent, one run each: base greedy, trained at "
        "the decoding of its benchmark card. Ours: base and mean of the final numbers ± half the "
        "95 % interval over seeds (n trials), under our decoding. Nothing is subtracted: only a "
        "column named under `comparable` was sampled alike, and prompts and graders may still "
        "differ.",
        (
            *("benchmark", *results.axes, BEFORE, AFTER, "our decoding", "comparable"),
            *("our base %", "our trained %", "±", "n"),
        ),
        tuple(rows),
        dict.fromkeys(
            (BEFORE, AFTER, "our base %", "our trained %", "±"), lambda value: f"{value:.1f}"
        ),
    )


def same_as(e: Evaluation) -> str:
    """Which of the study's columns was sampled as ours: `base`, `trained` or `neither`."""
    if e.decoding.temperature == 0:
        return "base"
    card = e.benchmark.decoding
    return "trained" if card and _alike(e.decoding, card) else "neither"


def _alike(ours: Decoding, card: dict[str, float]) -> bool:
    return ours.temperature == card.get("temperature") and ours.top_p == card.get("top_p", 1)
