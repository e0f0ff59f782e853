"""What responses look like before and after training, and accuracy by difficulty level and source.

Descriptive: means over the trials of a cell that ended and did not collapse, without intervals.
Levels come from the benchmark's problems, sources from the ids of its rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import fmean

from zoo.data import load
from zoo.errors import ZooError, plain
from zoo.evals.stored import source
from zoo.findings.collect import Results, Side
from zoo.grading import Verdict
from zoo.report.table_files import Row, Table
from zoo.store.parquet import read_parquet
from zoo.trials.trial import Evaluation

DESCRIBED = {
    "tokens": ("mean_length", 1.0),
    "right": ("mean_right_length", 1.0),
    "wrong": ("mean_wrong_length", 1.0),
    "clipped %": ("clipped_ratio", 100.0),
    "no answer %": ("no_answer_ratio", 100.0),
    "runs on %": ("runs_on_ratio", 100.0),
    "repeated %": ("repetition_ratio", 100.0),
    "other script %": ("other_script_ratio", 100.0),
}
"""Head -> measure and factor."""
Sides = list[tuple[Side | None, Side]]
"""Base and final numbers of trials."""
Shares = dict[str, tuple[int, int]]
"""Group of problems -> right and scored responses."""


def responses_table(results: Results) -> Table:
    """A row a cell and evaluation; empty where nothing was evaluated before and after."""
    bases = [f"base {name}" for name in DESCRIBED]
    head = (*results.axes, "benchmark", "decoding", "trials", *DESCRIBED, *bases)
    rows = [
        (
            *(*cell, e.benchmark.name, e.decoding_name, len(sides)),
            *(_mean([after for _, after in sides], *how) for how in DESCRIBED.values()),
            *(_mean([base for base, _ in sides if base], *how) for how in DESCRIBED.values()),
        )
        for e in results.headline
        for cell, sides in _cells(results, e)
    ]
    empty = {
        i
        for i, name in enumerate(head)
        if name in (*DESCRIBED, *bases) and all(row[i] is None for row in rows)
    }
    kept = [i for i in range(len(head)) if i not in empty]
    return Table(
        "responses",
        "Responses before and after training",
        "Mean tokens of all, of right and of wrong responses; shares that were cut at the limit, "
        "from which no answer could be extracted, that pose another question after the answer, "
        "and that have a letter of another script than Latin and Greek; mean share of 4-grams of "
        "tokens that came before in the same response. Means over the trials of a cell that ended "
        "and did not collapse; base: the base model under the same decoding.",
        tuple(head[i] for i in kept),
        tuple(tuple(row[i] for i in kept) for row in rows),
        dict.fromkeys((*DESCRIBED, *bases), _short),
    )


def groups_table(results: Results) -> Table:
    """A row a cell, evaluation and level or source; empty where no benchmark has several.

    Raises:
        StateError: scores that are gone or cannot be read.
    """
    known: dict[tuple[str, str], Shares] = {}
    rows: list[Row] = []
    for e in results.headline:
        for by, groups in _groups(results, e).items():

            def of(side: Side, by: str = by, groups: dict[str, str] = groups) -> Shares:
                return _joined(_shares(results, side, by, groups, known))

            sizes = Counter(groups.values())
            for cell, sides in _cells(results, e):
                bases = [of(base) for base, _ in sides if base]
                finals = [of(after) for _, after in sides]
                for name in sorted(sizes):
                    before, after = (_share(found, name) for found in (bases, finals))
                    gain = None if before is None or after is None else after - before
                    where = (e.benchmark.name, e.decoding_name, by, name or "none", sizes[name])
                    rows.append((*cell, *where, len(sides), before, after, gain))
    heads = ("base %", "final %", "gain")
    return Table(
        "accuracy-by-level",
        "Accuracy by difficulty level and source",
        "Share of right responses among those scored, in per cent, by group of a benchmark's "
        "problems (n problems in it); means over the trials of a cell that ended and did not "
        "collapse; gain in points. Groups are small: these numbers describe, and no verdict rests "
        "on them.",
        (*results.axes, "benchmark", "decoding", "by", "group", "n", "trials", *heads),
        tuple(rows),
        dict.fromkeys(heads, _short),
    )


def _cells(results: Results, e: Evaluation) -> Iterable[tuple[Row, Sides]]:
    """Each cell with the sides of its trials that have final numbers."""
    numbers = results.answer.numbers
    for cell in numbers.cells:
        own = {
            t.trial.id for t in numbers.by_cell[tuple(cell.items())] if t.ended and not t.collapsed
        }
        changes = (results.contrast(o, e) for o in results.outcomes if o.trial.id in own)
        sides = [(change.before, change.after) for change in changes if change.after]
        if sides:
            yield tuple(plain(cell.get(axis)) for axis in results.axes), sides


def _mean(sides: Sequence[Side], measure: str, scale: float) -> float | None:
    values = [value for side in sides if (value := side.get(measure)) is not None]
    return scale * fmean(values) if values else None


def _groups(results: Results, e: Evaluation) -> dict[str, dict[str, str]]:
    """`level`, `source` -> problem id -> its group; only what parts the problems. Without the
    benchmark's data there is none."""
    try:
        problems = load(e.benchmark, results.store.cache)[: e.problems]
    except ZooError:
        return {}
    found = {
        "level": {problem.id: problem.level for problem in problems},
        "source": {problem.id: source(problem.id, e.benchmark.name) for problem in problems},
    }
    return {by: groups for by, groups in found.items() if len({*groups.values()}) > 1}


def _shares(
    results: Results,
    side: Side,
    by: str,
    groups: dict[str, str],
    known: dict[tuple[str, str], Shares],
) -> list[Shares]:
    """Right and scored responses by group, of each measurement of a side."""
    found: list[Shares] = []
    for measured in side.sources:
        place = (measured.score_id, by)
        if place not in known:
            rows = read_parquet(results.store.verdicts(measured.score_id), ["id", "verdict"])
            known[place] = _count(rows["id"], rows["verdict"], groups)
        found.append(known[place])
    return found


def _count(ids: Sequence[str], verdicts: Sequence[str], groups: dict[str, str]) -> Shares:
    right, scored = Counter[str](), Counter[str]()
    for id_, verdict in zip(ids, verdicts, strict=True):
        scored[groups[id_]] += Verdict(verdict).scored
        right[groups[id_]] += Verdict(verdict) is Verdict.CORRECT
    return {name: (right[name], scored[name]) for name in scored}


def _joined(found: Sequence[Shares]) -> Shares:
    """All measurements of a side together."""
    names = {name for shares in found for name in shares}
    pairs = {name: [shares.get(name, (0, 0)) for shares in found] for name in names}
    return {name: (sum(r for r, _ in p), sum(n for _, n in p)) for name, p in pairs.items()}


def _share(found: Sequence[Shares], name: str) -> float | None:
    pairs = [shares.get(name, (0, 0)) for shares in found]
    shares = [100 * right / n for right, n in pairs if n]
    return fmean(shares) if shares else None


def _short(value: float) -> str:
    return f"{value:.1f}".replace("-", "\N{MINUS SIGN}")
