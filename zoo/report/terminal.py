"""The results as plain text, for the end of a sweep in a terminal."""

from __future__ import annotations

from zoo.errors import listed
from zoo.findings.collect import Contrast, Results
from zoo.findings.format import DASH, percent, points
from zoo.findings.view import marks
from zoo.runs.outcome import Outcome

Block = list[str] | str
"""Before -> after, gain, boxed, length of one decoding; or one text across all four."""


def table(results: Results) -> str:
    """Before -> after of all trials, one block a benchmark; failed and missing trials are rows like
    the others.
    """
    blocks = []
    if results.made_up:
        blocks.append(
            "SIMULATED OR REHEARSED: these numbers are no evidence about the models named."
        )
    if names := results.random_weights:
        blocks.append(
            f"RANDOM WEIGHTS: {listed(names)} was never trained; its numbers are no evidence."
        )
    benchmarks = dict.fromkeys(e.benchmark.name for e in results.headline)
    for benchmark in benchmarks:
        blocks.append(_block(results, benchmark))
    if not benchmarks:
        blocks.append("no evaluation reaches the horizon, so there is no before and after")
    counts = ", ".join(f"{n} {state}" for state, n in results.counts.items())
    plural = "" if len(results.outcomes) == 1 else "s"
    blocks.append(f"{len(results.outcomes)} trial{plural}: {counts or 'none'}")
    return "\n\n".join(blocks)


def _block(results: Results, benchmark: str) -> str:
    columns = [e for e in results.headline if e.benchmark.name == benchmark]
    seeds = len({o.trial.seed for o in results.outcomes}) > 1
    head: list[Block] = [*results.axes, *(["seed"] if seeds else [])]
    rows = [head + [[f"{e.decoding_name} (%)", "gain", "boxed", "length"] for e in columns] + [""]]
    sizes = set()
    for found in results.outcomes:
        row: list[Block] = [str(found.trial.cell.get(axis)) for axis in results.axes]
        row += [str(found.trial.seed)] if seeds else []
        changes = [results.contrast(found, e) for e in columns]
        sizes |= {side.n for change in changes for side in (change.before, change.after) if side}
        told = marks(found) if any(change.after for change in changes) else ""
        rows.append(row + [_cells(found, change) for change in changes] + [told])
    n = "/".join(map(str, sorted(sizes))) or "?"
    return f"{benchmark}: accuracy, base -> round {results.experiment.rounds} (n = {n})\n" + _align(
        rows
    )


def _cells(found: Outcome, change: Contrast) -> Block:
    """The four cells of one decoding, or the reason why there is no final number."""
    base = percent(change.before.get("acc")) if change.before else DASH
    if change.after is None:
        return f"{base} -> {why(found)}"
    sides = [side.values if side else {} for side in (change.before, change.after)]
    lengths = [values.get("mean_length") for values in sides]
    return [
        " -> ".join(percent(values.get("acc")).rjust(4) for values in sides),
        points(change.gain),
        " -> ".join(percent(values.get("box_ratio"), 0).rjust(3) for values in sides),
        " -> ".join(DASH if tokens is None else f"{tokens:.0f}" for tokens in lengths),
    ]


def why(found: Outcome) -> str:
    """State in capitals, with the class of a failure and the round where it ended."""
    if found.void is not None:
        return f"VOID: {found.void.why}"
    record = found.record
    reason = (record.failure_class or record.stop_reason) if record else None
    cause = f": {reason}" if reason else ""
    where = (
        f" at round {found.reached}"
        if found.state in ("stopped", "failed", "preempted", "unfinished")
        else ""
    )
    return f"{found.state.upper()}{where}{cause}"


def _align(rows: list[list[Block]]) -> str:
    """Columns side by side, padded; a text across a block does not widen its cells."""
    columns = list(zip(*rows, strict=True))
    lines: list[list[str]] = [[] for _ in rows]
    for column in columns:
        blocks = [cell for cell in column if isinstance(cell, list)]
        widths = [max(map(len, parts)) for parts in zip(*blocks, strict=True)]
        texts = [
            "  ".join(p.ljust(w) for p, w in zip(cell, widths, strict=True))
            if isinstance(cell, list)
            else cell
            for cell in column
        ]
        width = max(map(len, texts))
        for line, text in zip(lines, texts, strict=True):
            line.append(text.ljust(width))
    rule = ["-" * len(text) * (not text.isspace()) for text in lines[0]]
    return "\n".join("  ".join(line).rstrip() for line in [lines[0], rule, *lines[1:]])
