"""The plan as text, like that of `terraform plan`: what runs, why, where, how long, and what to
consider first."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import click

from zoo.errors import listed
from zoo.grader_version import GRADER_VERSION
from zoo.lock import lock
from zoo.lock.lock import Kind, LockChanges
from zoo.planning.plan_report import Plan
from zoo.planning.study import Study
from zoo.render import plan_claims, plan_contents, plan_placement
from zoo.render.plan_costs import cost, counted, hours
from zoo.resources import forecloses
from zoo.runs.sweep_status import AGAIN, NEVER_RAN, SweepStatus
from zoo.trials import identity
from zoo.trials.trial import Trial

COLOURS = {"+": "green", "~": "yellow", "=": None, ">": "yellow", "!": "red", "x": "yellow"}
WORDS = {"+": "to run", "~": "stale", "=": "done", ">": "unfinished", "!": "failed", "x": "void"}
HARD_SPACE = "\u00a0"


def whole(outlook: Plan, *, every_trial: bool) -> Iterator[str]:
    """The whole plan: what runs, what it costs, what cannot run, what to consider, claims."""
    study = outlook.study
    yield from plan_contents.asked(outlook)
    yield from _section(
        "what runs", [*plan_contents.what(outlook), *plan_placement.placement(outlook)]
    )
    yield ""
    yield from trial_lines(outlook.status, study.names, every_trial=every_trial)
    yield from change_lines(study.changes)
    yield from standing_lines(outlook.status, study, outlook.command())
    if outlook.left:
        yield from _section(
            f"cost of what is left on {plan_placement.kind(outlook)}", cost(outlook)
        )
        yield from _section("what cannot run", plan_placement.cannot(outlook))
        yield from _section("memory in GiB a GPU, where it is tight", plan_placement.tight(outlook))
    if not study.manifest.rehearse:  # they are about the study, not about its rehearsal
        yield from _section("warnings", warnings(outlook))
        yield from _section(plan_claims.title(outlook), plan_claims.lines(outlook))
    yield ""
    yield summary(outlook.status)
    yield from _next(outlook)


def wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """Lines broken at `width` columns, the rest indented; text in backticks is a command and is not
    broken, nor is a line that is one."""
    for line in lines:
        if len(click.unstyle(line)) <= width or line.startswith("  zoo "):
            yield line
            continue
        label = re.match(r" *\S+ {2,}", line)
        indent = len(label[0]) if label else len(line) - len(line.lstrip()) + 2
        kept = re.sub(r"(?<=[^,;:]) (?=[\d.,-]+(?:[,;]|$))", HARD_SPACE, line)  # `a 5, b 7`
        kept = re.sub(r"`[^`]*`", lambda command: command[0].replace(" ", HARD_SPACE), kept)
        parts = textwrap.wrap(
            kept,
            width,
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        yield from (part.replace(HARD_SPACE, " ") for part in parts)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield click.style(title, bold=True)
        yield from (f"  {line}" if line else "" for line in found)


# -- trials and changes ----------------------------------------------------------------------------


def trial_lines(
    status: SweepStatus, names: Mapping[str, str], *, every_trial: bool
) -> Iterator[str]:
    """One line for trials of equal status, with names where something is wrong; or one line per
    trial. `names`: short names by id."""
    if every_trial:
        width = max(len(names[one.trial.id]) for one in status.trials)
        for one in status.trials:
            name = f"{names[one.trial.id]:<{width}}"
            yield f"{_symbol(one.symbol, bold=one.runs)} {name}  {one.why}"
        return
    groups: dict[tuple[str, str], list[str]] = {}
    for one in status.trials:
        why = one.why if one.symbol in "~!x" else one.why.split(" at ")[0]
        why = why.removeprefix("void: ")
        head, again, _ = why.partition(AGAIN)  # hours differ from trial to trial
        why = head + again
        groups.setdefault((one.symbol, why), []).append(names[one.trial.id])
    for (symbol, why), found in groups.items():
        usual = symbol == "=" or why == NEVER_RAN
        who = " (--all names them)" if usual else f": {listed(found, 4)}"
        yield f"{_symbol(symbol)} {len(found):,} {WORDS[symbol]}: {why}{who}"


def _symbol(symbol: str, *, bold: bool = True) -> str:
    return click.style(symbol, fg=COLOURS[symbol], bold=bold)


def change_lines(changes: LockChanges) -> Iterator[str]:
    """What moved since the sweep last started, a line a kind and set of fields."""
    if not changes.locked:
        return
    kinds: dict[Kind, str] = {
        "edited": "changed in the manifest",
        "pinned": "pinned",
        "drift": "DRIFT",
    }
    for kind, word in kinds.items():
        groups = Counter(str(change) for change in changes.of_kind(kind))
        yield from (f"~ {n:,} {word}: {fields}" for fields, n in groups.items())
    for (before, now), n in Counter((old, t.rounds) for t, old in changes.longer).items():
        yield f"> {n:,} trained for another number of rounds: {before} -> {now}"
    if changes.gone:
        ids = [row["id"] for row in changes.gone]
        yield f"- {len(ids):,} no longer in the manifest (runs are kept): {listed(ids, 2)}"


def standing_lines(status: SweepStatus, study: Study, sweep: str | None = None) -> Iterator[str]:
    """What finished trials lack and a sweep does not do unasked: another grading, training again.
    `sweep`: the command that runs them, with its options."""
    command = study.to("grade")
    standings = [one.standing for one in status.trials]
    scores = frozenset().union(*(standing.scores for standing in standings))
    if scores:
        are = "evaluation is" if len(scores) == 1 else "evaluations are"
        yield (
            f"note: {len(scores):,} {are} by another grader; `{command}` grades them again by "
            f"grader {GRADER_VERSION}, without sampling"
        )
    if n := sum(standing.replay for standing in standings):
        were = counted(n, "trial") + (" was" if n == 1 else " were")
        whose = "its rewards" if n == 1 else "their rewards"
        yield (
            f"note: {were} rewarded by another grader; `{command}` checks whether {whose} would "
            "change now, without training"
        )
    stands = [one for one in status.trials if one.stands]
    if stale := [one.trial.id for one in stands if one.standing.stale_from is not None]:
        yield (
            f"note: rewards of {counted(len(stale), 'finished trial')} change under grader "
            f"{GRADER_VERSION}; they are kept as trained: {listed(stale, 2)}"
        )
    longer = [one for one in stands if one.extendable]
    if longer:
        yield (
            f"note: {counted(len(longer), 'finished trial')} can go on to "
            f"{longer[0].trial.rounds} rounds: `{study.to('extend')}`"
        )
    stands = [one for one in stands if not one.extendable]
    if again := [one for one in stands if one.standing.stale_from is None]:
        need = "needs" if len(again) == 1 else "need"
        yield (
            f"note: {counted(len(again), 'finished trial')} {need} training again for what the "
            f"manifest requires now: {again[0].trial.id}: {again[0].why}"
        )
    if void := [one for one in status.trials if one.state == "void"]:
        yield (
            f"note: {counted(len(void), 'trial')} set aside by hand and not run: "
            f"{listed((one.trial.id for one in void), 2)}; `zoo void {study.called} TRIAL --undo` "
            "takes that back"
        )
    if stands:
        yield (
            f"note: `{sweep or study.to('sweep')} --retrain` trains "
            f"{'it' if len(stands) == 1 else f'these {len(stands):,}'} again; what is there is kept"
        )


def diff(outlook: Plan) -> Iterator[str]:
    """Only what changed since the sweep last started, and the claims that are not sealed."""
    study, changes = outlook.study, outlook.study.changes
    if not changes.locked:
        yield f"{study.name} never started: all {len(study.trials):,} trials are new"
        yield from plan_claims.diff(study)
        return
    for trial in changes.new:
        yield f"+ {trial.id}"
    for change in changes.changed:
        yield f"~ {change.trial.id} (was {change.old_id}): {' and '.join(change.kinds)}"
        for kind, fields in change.kinds.items():
            mark = f" ({kind})" if len(change.kinds) > 1 else ""
            for name, old, new in fields:
                yield f"    {name}: {lock.short(old)} -> {lock.short(new)}{mark}"
    for row in changes.gone:
        yield f"- {row['id']}"
    for trial, before in changes.longer:
        yield f"> {trial.id}: rounds {before} -> {trial.rounds}"
    yield from plan_claims.diff(study)
    trials_moved = changes.new or changes.changed or changes.gone or changes.longer
    if not (trials_moved or study.claims_moved):
        yield "nothing changed since the sweep last started"


def summary(status: SweepStatus) -> str:
    """Counts by status: `+ 4 to run  = 8 done`."""
    symbols = Counter(one.symbol for one in status.trials)
    stopped = sum(one.state == "stopped" for one in status.trials)
    more = {"=": f" ({stopped:,} stopped)"} if stopped else {}
    told = [
        f"{s} {symbols[s]:,} {word}{more.get(s, '')}" for s, word in WORDS.items() if symbols[s]
    ]
    return "  ".join(told)


# -- what to think about ---------------------------------------------------------------------------


def warnings(outlook: Plan) -> Iterator[str]:
    """One line a warning."""
    for warning in outlook.warnings:
        yield f"! {warning}"


def _next(outlook: Plan) -> Iterator[str]:
    """What a sweep would do now, and the command."""
    if not outlook.status.left:
        yield "nothing to do"
        return
    profile, n = outlook.profile, len(outlook.left)
    runs, unsure = plan_placement.runs(outlook)
    if runs < n or unsure:
        told = f"{runs - unsure:,} of {n:,} run on '{profile.name}'"
        if unsure == n:
            yield f"whether they have the memory on '{profile.name}' is not known"
        else:
            yield told + (f"; whether {unsure:,} have the memory is not known" if unsure else "")
    if runs:
        only = plan_placement.only(outlook) if runs < n else ""
        apart = " (leave out by --only what does not run)" * (runs < n and not only)
        fit = ", if they fit" * (unsure > 0)
        most = "up to " * plan_placement.some_wider(outlook)
        yield f"{most}{profile.concurrency} at a time{fit}; run them{apart}:"
        yield f"  {outlook.command(only)}"


def explain(outlook: Plan, trial: Trial) -> Iterator[str]:
    """Why one trial runs, and the inputs of its id."""
    (status,) = [status for status in outlook.status.trials if status.trial.id == trial.id]
    yield f"{_symbol(status.symbol)} {trial.id}: {status.why}"
    yield f"name: {outlook.study.names[trial.id]}"
    yield f"folder: {outlook.study.store.train(trial.id)}"
    for change in outlook.study.changes.changed:
        if change.trial.id == trial.id:
            yield f"was {change.old_id} ({change.kind}):"
            for name, old, new in change.fields:
                yield f"  {name}: {lock.short(old)} -> {lock.short(new)}"
    placed = outlook.placement(trial)
    yield f"placement: {plan_placement.lies(trial, placed, why=True)}"
    if placed.memory:
        parts = {name: gib for name, gib in placed.memory.parts().items() if gib}
        told = [f"{name.replace('_', ' ')} {gib:.1f}" for name, gib in parts.items()]
        peak = f"{placed.memory.peak:.1f} of {placed.usable_gib:.1f}"
        yield f"memory: peak {peak} GiB a GPU: {', '.join(told)}"
    for name, where in plan_placement.elsewhere(outlook, trial).items():
        yield f"also fits: {where} on {name}"
    yield f"cost: {hours(outlook.one_cost(trial).hours)} {outlook.cost.unit}"
    yield from (f"  {sentence}" for sentence in forecloses([trial]))
    yield "the id is a hash of:"
    for name, value in identity.flat(trial.identity):
        yield f"  {name}: {identity.canonical(value)}"
