"""Health of training by cell: what collapsed and when, which tripwires were crossed, and what the
last rounds looked like.

A trial collapsed where it crossed a tripwire of the manifest or was stopped for a reason that is an
outcome (`zoo.judging.values`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import fmean, median

from zoo.errors import plain
from zoo.findings.collect import Results
from zoo.report.table_files import Row, Table
from zoo.runs.outcome import Outcome
from zoo.runs.tripwires import crossings
from zoo.stats.proportions import clopper_pearson
from zoo.trials.metrics import KL_BASE_POLICY

WATCHED = {
    "clipped %": ("train/completions/clipped_ratio", 100.0),
    "entropy": ("train/entropy", 1.0),
    "KL": ("train/kl", 1.0),
    "KL of the base": (KL_BASE_POLICY, 1.0),
    "equal rewards %": ("train/frac_reward_zero_std", 100.0),
    "log-prob gap": ("train/sampling/sampling_logp_difference/mean", 1.0),
}
"""Head -> training metric and factor."""
LAST = 5
"""Rounds at the end of training that a mean is over: one round is noisy."""


def health_table(results: Results) -> Table:
    """A row a cell. Training metrics are means over trials of their last rounds."""
    numbers = results.answer.numbers
    ended_at = dict(zip((r.trial.id for r in numbers.results), results.outcomes, strict=True))
    rows: list[Row] = []
    for cell in numbers.cells:
        own = numbers.by_cell[tuple(cell.items())]
        ended = [trial for trial in own if trial.ended]
        fallen = [trial for trial in ended if trial.collapsed]
        low, high = clopper_pearson(len(fallen), len(ended))
        when = [collapse_round(ended_at[t.trial.id], t.series) for t in fallen]
        rate = 100 * len(fallen) / len(ended) if ended else None
        rows.append(
            (
                *(plain(cell.get(axis)) for axis in results.axes),
                *(len(own), len(ended), len(fallen), rate, 100 * low, 100 * high),
                median(when) if when else None,
                *(_last([t.series.get(name, {}) for t in own], s) for name, s in WATCHED.values()),
            )
        )
    plain_heads = ("trials", "ended", "collapsed", "rate %", "low %", "high %", "round")
    head = (*results.axes, *plain_heads, *WATCHED)
    logged = [i for i, name in enumerate(head) if name not in WATCHED or any(r[i] for r in rows)]
    ran = any(o.reached for o in results.outcomes)
    shown = dict.fromkeys((*plain_heads[3:], *WATCHED), lambda v: f"{v:.3g}")
    return Table(
        "health",
        "Health of training by cell",
        "Trials that collapsed (crossed a tripwire, or were stopped for a reason that is an "
        "outcome) of those that ended, with an exact 95 % interval; round: median round of the "
        f"collapse; then means over the last {LAST} rounds of all trials of a cell.",
        tuple(head[i] for i in logged),
        tuple(tuple(row[i] for i in logged) for row in rows) if ran else (),
        shown,
    )


def collapse_round(found: Outcome, series: Mapping[str, Mapping[int, float]]) -> int:
    """The round at which a collapsed trial crossed its first line, or was stopped."""
    crossed = [crossing.round for crossing in crossings(found.trial, series)]
    return min([*crossed, *([found.reached] if found.state == "stopped" else [])])


def _last(series: list[Mapping[int, float]], scale: float) -> float | None:
    means = [fmean([s[r] for r in sorted(s)[-LAST:]]) for s in series if s]
    return scale * fmean(means) if means else None


def health_notes(results: Results) -> list[str]:
    """What was watched for and what came of it, a sentence each."""
    wires = list(dict.fromkeys(str(w) for o in results.outcomes for w in o.trial.tripwires))
    numbers = results.answer.numbers
    ended = [trial for trial in numbers.results if trial.ended and not trial.void]
    fallen = sum(trial.collapsed for trial in ended)
    told: list[str] = []
    if not wires:
        told.append(
            "The manifest has no tripwires, so that only trials that were stopped count as "
            "collapsed."
        )
    if ended:
        low, high = clopper_pearson(fallen, len(ended))
        told.append(
            f"{fallen} of {len(ended)} trials that ended collapsed "
            f"({100 * low:.0f} to {100 * high:.0f} %)."
        )
    crossed: Counter[str] = Counter()
    for trial in numbers.results:
        crossed.update(str(c.wire) for c in crossings(trial.trial, trial.series))
    told += [f"Tripwire {wire}: crossed by {crossed[wire]} trials." for wire in wires]
    return told
