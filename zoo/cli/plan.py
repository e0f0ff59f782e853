"""`zoo plan`: every trial with its symbol and why. Imports nothing heavy and writes nothing."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from zoo.cli.context import Plan, as_json, plan, profile_of
from zoo.orchestrate.todo import Item, Todo, look

COLOURS = {"+": "green", "=": None, ">": "yellow", "!": "red"}


def show(
    name: str, cards: tuple[str, ...], profile: str | None, *, json_: bool, detailed: bool
) -> int:
    """Print the plan; returns 0, or 3 where `detailed` is asked and there is work."""
    made = plan(name, cards)
    todo = look(made.trials, made.store)
    chosen = profile_of(made.catalog, profile, None)
    if json_:
        click.echo(as_json(as_data(made, todo)))
    else:
        for line in head(made, todo):
            click.echo(line)
        for line in trial_lines(todo):
            click.echo(line)
        verb = f"run them: zoo sweep {name}" if todo.left else "nothing to do"
        at_once = f"{chosen.concurrency} at a time on '{chosen.name}'"
        click.echo(f"\n{summary(todo)}\n{at_once}; {verb}")
    return 3 if detailed and todo.left else 0


def head(made: Plan, todo: Todo) -> list[str]:
    """What the study asks, its axes, and what is measured."""
    experiment, trials = made.manifest.experiment, made.trials
    axes = {axis: [str(t.cell[axis]) for t in trials if axis in t.cell] for axis in trials[0].cell}
    cells = len({tuple(t.cell.items()) for t in trials})
    lines = [f"{experiment.name}: {experiment.question}", ""]
    if made.simulated:
        lines.append("  SIMULATED: numbers are made up, nothing is trained")
    for axis, values in axes.items():
        distinct = list(dict.fromkeys(values))
        lines.append(f"  {axis:<10} {len(distinct)}: {', '.join(distinct)}")
    seeds, rounds = len(experiment.seeds), experiment.rounds
    lines.append(
        f"  {cells} cells x {seeds} seed{'s'[: seeds != 1]} = {len(trials)} trials",
    )
    lines.append(f"  {rounds} rounds each, {trials[0].batch.completions} completions a round")
    lines += [f"  evaluate   {line}" for line in evaluations(made)]
    return [*lines, ""]


def evaluations(made: Plan) -> list[str]:
    """One line a benchmark and subset: decodings and rounds."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for e in made.trials[0].evaluations:
        key = (e.benchmark.name, e.problems, e.rounds)
        found.setdefault(key, []).append(e.decoding_name)
    lines = []
    for (benchmark, problems, rounds), decodings in found.items():
        size = f"{problems} problems" if problems else "all problems"
        at = ", ".join(map(str, rounds if len(rounds) <= 6 else [*rounds[:3], "...", rounds[-1]]))
        lines.append(f"{benchmark} ({size}) under {', '.join(decodings)} at rounds {at}")
    return lines or ["nothing"]


def trial_lines(todo: Todo) -> list[str]:
    """One line a trial."""
    width = max(len(item.trial.id) for item in todo.items)
    return [_line(item, width) for item in todo.items]


def _line(item: Item, width: int) -> str:
    symbol = click.style(item.symbol, fg=COLOURS[item.symbol], bold=item.runs)
    return f"{symbol} {item.trial.id:<{width}}  {item.why}"


def summary(todo: Todo) -> str:
    """Counts in words: `+ 4 new  = 8 done`."""
    symbols = Counter(item.symbol for item in todo.items)
    words = {"+": "to run", "=": "done", ">": "unfinished", "!": "failed"}
    told = [f"{s} {symbols[s]} {word}" for s, word in words.items() if symbols[s]]
    return "  ".join(told)


def as_data(made: Plan, todo: Todo) -> dict[str, Any]:
    """The plan for programs: counts, trials, claims, warnings, cost (of what is left to run)."""
    left = [item.trial for item in todo.left]
    return {
        "name": made.name,
        "simulated": made.simulated,
        "counts": todo.counts | {"trials": len(todo.items), "to_run": len(left)},
        "trials": [
            {
                "id": item.trial.id,
                "cell": item.trial.cell,
                "seed": item.trial.seed,
                "symbol": item.symbol,
                "why": item.why,
            }
            for item in todo.items
        ],
        "claims": [],
        "warnings": [],
        "cost": {
            "rounds": sum(trial.rounds for trial in left),
            "completions": sum(trial.rounds * trial.batch.completions for trial in left),
        },
    }
