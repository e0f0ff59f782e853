"""The plan for people, as `terraform plan` tells one: what, why, where, how long, and what to think
about first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import click

from zoo.catalog import RecipeCard
from zoo.cli import plan_claims, prompts
from zoo.cli.context import Plan
from zoo.cli.outlook import Outlook
from zoo.cli.plan_costs import cost, counted, hours, lies, placement
from zoo.cli.references import known
from zoo.errors import listed, plain
from zoo.manifest import grpo, identity, lock, power
from zoo.manifest.cells import matches
from zoo.manifest.fit import forecloses
from zoo.manifest.lock import Comparison, Kind
from zoo.manifest.metric_name import EVAL
from zoo.manifest.metrics import final_rounds, last_k
from zoo.manifest.schema import Override
from zoo.manifest.trial import Trial
from zoo.orchestrate.todo import Item, Todo
from zoo.track import regraded

COLOURS = {"+": "green", "~": "yellow", "=": None, ">": "yellow", "!": "red"}
WORDS = {"+": "to run", "~": "stale", "=": "done", ">": "unfinished", "!": "failed"}
MOST_LINES = 40  # trials that are listed one by one without --all


def whole(outlook: Outlook, *, every_trial: bool) -> Iterator[str]:
    """The whole plan."""
    yield from head(outlook)
    yield from trial_lines(outlook.todo, every_trial=every_trial)
    yield from change_lines(outlook.made.changes)
    yield from standing_lines(outlook.todo, outlook.made)
    if outlook.left:
        yield from _section("placement", placement(outlook))
        yield from _section("cost of what is left", cost(outlook))
    if not outlook.made.manifest.rehearse:  # they are about the study, not about its rehearsal
        yield from _section(plan_claims.title(outlook), plan_claims.lines(outlook))
        yield from _section("warnings", warnings(outlook))
    yield ""
    yield summary(outlook.todo)
    yield from _next(outlook)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield click.style(title, bold=True)
        yield from (f"  {line}" if line else "" for line in found)


# -- what ------------------------------------------------------------------------------------------


def head(outlook: Outlook) -> Iterator[str]:
    """What the study asks, its axes, and what is measured."""
    experiment, trials = outlook.experiment, outlook.made.trials
    yield f"{experiment.name}: {experiment.question}"
    if experiment.prediction:
        yield f"predicted: {experiment.prediction}"
    yield ""
    if outlook.made.simulated:
        yield "  SIMULATED: numbers are made up, nothing is trained"
    if outlook.made.manifest.rehearse:
        yield "  REHEARSAL: pocket stand-ins, two rounds; says nothing about the models named"
    for axis in dict.fromkeys(axis for t in trials for axis in t.cell):
        values = list(dict.fromkeys(plain(t.cell[axis]) for t in trials if axis in t.cell))
        yield f"  {axis:<10} {len(values)}: {listed(values, 14)}"
    yield f"  {_counted(outlook)}"
    for axes in [list(group.values) for group in experiment.zip]:
        yield f"  paired     {' with '.join(axes)}"
    for batch, recipes in _batches(trials).items():
        yield f"  recipe     {', '.join(recipes)}: {batch}"
    yield from (f"  changed    {line}" for line in _changed(outlook))
    yield from (f"  {line}" for line in _overrides(outlook))
    yield from (f"  evaluate   {line}" for line in evaluations(trials))
    yield f"  final      {_final(outlook)}"
    if told := [f"{name}: {found}" for name, found in known(outlook.made.chosen, outlook.made)]:
        yield f"  references {'; '.join(told)}"
    if told := prompts.line(outlook.made.chosen, outlook.made):
        yield f"  prompts    {told}"
    for wire in experiment.tripwires:
        yield f"  tripwire   {wire}: recorded and shown; no trial is marked or stopped by it yet"
    yield ""


def _changed(outlook: Outlook) -> Iterator[str]:
    """What the manifest and the command line change about the recipe for all cells."""
    experiment, last = outlook.experiment, outlook.made.manifest.last
    said = {f"grpo.{name}": value for name, value in experiment.grpo.items()}
    said |= {f"batch.{name}": value for name, value in experiment.batch.items()} | last
    card = outlook.made.catalog.get(RecipeCard, experiment.recipe)
    usual = {f"grpo.{name}": value for name, value in (grpo.defaults() | card.grpo).items()}
    usual |= {f"batch.{name}": value for name, value in card.batch.model_dump().items()}
    if outlook.made.manifest.rehearse:  # which has a batch of its own
        said = {name: value for name, value in said.items() if not name.startswith("batch.")}
    for name, value in said.items():
        before = f"{plain(usual[name])} -> " if name in usual else ""
        if not before or identity.canonical(usual[name]) != identity.canonical(value):
            yield f"{name} {before}{plain(value)}{' (--set)' if name in last else ''}"


def _final(outlook: Outlook) -> str:
    """How a trial's final number is formed, in rounds; the decodings where they differ in it."""
    k, trial = last_k(outlook.experiment.final), outlook.made.trials[0]
    if k == 1:
        return f"round {trial.rounds}"
    found: dict[tuple[int, ...], list[str]] = {}
    for e in trial.evaluations:
        rounds = final_rounds(e.rounds, trial.rounds, k)
        if rounds and e.series == EVAL:
            found.setdefault(rounds, []).append(f"{e.benchmark.name} {e.decoding_name}")
    told = {rounds: _last_rounds(rounds, k) for rounds in found}
    if len(found) == 1:
        return next(iter(told.values()))
    return "; ".join(f"{listed(found[rounds])}: {text}" for rounds, text in told.items())


def _last_rounds(rounds: tuple[int, ...], k: int) -> str:
    if len(rounds) == 1:
        return f"round {rounds[0]}, the only evaluation of the last {k} asked for"
    return f"mean of the last {len(rounds)} evaluations: rounds {', '.join(map(str, rounds))}"


def _counted(outlook: Outlook) -> str:
    experiment, trials = outlook.experiment, outlook.made.trials
    cells = len({t.id.rsplit(".s", 1)[0] + repr(t.cell) for t in trials})
    seeds, foreign = len(experiment.seeds), sum(t.trainer == "external" for t in trials)
    text = f"{counted(cells, 'cell')} x {power.seeds_of(seeds)} = {counted(len(trials), 'trial')}"
    text += f" of {counted(experiment.rounds, 'round')}"
    measured = f"{counted(foreign, 'measurement')} of checkpoints trained elsewhere"
    if foreign == len(trials):
        text = measured + (f", {seeds} samplings of each" if seeds > 1 else "")
    elif foreign:
        text += f", {measured} among them"
    notes = [f"{e.why} ({_said(e.match)})" for e in experiment.exclude]
    text += f"; left out: {'; '.join(notes)}" if notes else ""
    if len(outlook.made.chosen) < len(trials):
        text += f"; --only keeps {len(outlook.made.chosen):,} of them"
    added = [f"{_said(e.cell)}{f' ({e.why})' if e.why else ''}" for e in experiment.include]
    text += f"; added: {'; '.join(added)}" if added else ""
    return text


def _batches(trials: list[Trial]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for trial in trials:
        b = trial.batch
        text = (
            f"{b.prompts:,} prompts x {b.num_generations} = {b.completions:,} completions a round"
        )
        text += f", {b.updates} update{'s'[: b.updates > 1]} of {b.per_update:,}"
        text += f", micro-batch pinned at {b.micro_batch}" if b.micro_batch else ""
        if trial.trainer == "external":
            text = "trained elsewhere, only measured here"
        if trial.recipe not in found[text]:
            found[text].append(trial.recipe)
    return found


def _said(match: dict[str, object]) -> str:
    return ", ".join(f"{axis}={plain(value)}" for axis, value in match.items())


def _overrides(outlook: Outlook) -> Iterator[str]:
    """Each override, how many cells it meets, and what it does to the effective batch."""
    last = outlook.made.manifest.last
    for i, override in enumerate(outlook.experiment.overrides, start=1):
        met = [t for t in outlook.made.trials if matches(t.cell, override.when)]
        values = ", ".join(
            f"{name} = {plain(value)}{' (but --set wins)' if name in last else ''}"
            for name, value in override.set.items()
        )
        why = f" ({override.why})" if override.why else ""
        where = f"override {i} where {_said(override.when)}"
        yield f"{where}: {values}; {counted(len(met), 'trial')}{why}"
        batch = any(name.startswith("batch.") for name in override.set)
        if batch and not outlook.made.manifest.rehearse:
            yield f"           {_effective(outlook, override, met)}"


def _effective(outlook: Outlook, override: Override, met: list[Trial]) -> str:
    if not met:
        return "no trial"
    others = [t for t in outlook.made.trials if not matches(t.cell, override.when)]
    same_recipe = [t for t in others if t.recipe == met[0].recipe] or others
    now = met[0].batch
    text = f"{now.prompts:,} x {now.num_generations} / {now.updates} = {now.per_update:,}"
    if not same_recipe:
        return f"effective batch {text} completions an update in all of them"
    usual = same_recipe[0].batch
    if usual.per_update == now.per_update:
        return f"effective batch unchanged: {text} completions an update, as elsewhere"
    return f"effective batch CHANGED: {text} completions an update, {usual.per_update:,} elsewhere"


def evaluations(trials: list[Trial]) -> list[str]:
    """One line a set of benchmarks that are measured alike."""
    found: dict[tuple[object, ...], dict[str, dict[str, int]]] = {}
    for e in trials[0].evaluations:
        benchmarks = found.setdefault((e.schedules, e.problems, e.rounds, e.series), {})
        benchmarks.setdefault(e.benchmark.name, {})[e.decoding_name] = e.samples
    lines = []
    for (schedules, problems, rounds, series), benchmarks in found.items():
        assert isinstance(rounds, tuple)
        assert isinstance(schedules, tuple)
        at = [*rounds[:3], "...", rounds[-1]] if len(rounds) > 6 else rounds
        each = " each" if len(benchmarks) > 1 else ""
        size = f"{problems} problems{each}" if problems else "all problems"
        decodings = dict.fromkeys(name for samples in benchmarks.values() for name in samples)
        lines.append(
            f"{', '.join(schedules)}: {', '.join(map(_sampled, benchmarks.items()))} ({size}) "
            f"under {', '.join(decodings)} at rounds {', '.join(map(str, at))}"
            + ("" if series == EVAL else f", as {series}/...")
        )
    return lines or ["nothing"]


def _sampled(measured: tuple[str, dict[str, int]]) -> str:
    """`aime24 (32 responses a problem under t1.0)`, or the name alone."""
    name, samples = measured
    more = [f"{n} responses a problem under {decoding}" for decoding, n in samples.items() if n > 1]
    return f"{name} ({', '.join(more)})" if more else name


# -- trials and changes ----------------------------------------------------------------------------


def trial_lines(todo: Todo, *, every_trial: bool) -> Iterator[str]:
    """One line a trial; of many, one line for those that stand alike."""
    if every_trial or len(todo.items) <= MOST_LINES:
        width = max(len(item.trial.id) for item in todo.items)
        yield from (_line(item, width) for item in todo.items)
        return
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in todo.items:
        why = item.why if item.symbol in "~!" else item.why.split(" at ")[0]
        groups.setdefault((item.symbol, why), []).append(item)
    for (symbol, why), items in groups.items():
        ids = listed([item.trial.id for item in items], 2)
        yield f"{_symbol(symbol)} {len(items):,} {WORDS[symbol]}: {why}: {ids}"
    yield "  (--all lists every trial)"


def _line(item: Item, width: int) -> str:
    return f"{_symbol(item.symbol, bold=item.runs)} {item.trial.id:<{width}}  {item.why}"


def _symbol(symbol: str, *, bold: bool = True) -> str:
    return click.style(symbol, fg=COLOURS[symbol], bold=bold)


def change_lines(changes: Comparison) -> Iterator[str]:
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


def standing_lines(todo: Todo, made: Plan) -> Iterator[str]:
    """What finished trials lack that no sweep does by itself: another grading, training again."""
    command = made.to("grade")
    standings = [item.standing for item in todo.items]
    scores = frozenset().union(*(standing.scores for standing in standings))
    if scores:
        are = "evaluation is" if len(scores) == 1 else "evaluations are"
        yield (
            f"note: {len(scores):,} {are} by another grader; `{command}` grades them again by "
            f"grader {regraded.present()}, without sampling"
        )
    if n := sum(standing.replay for standing in standings):
        were = counted(n, "trial") + (" was" if n == 1 else " were")
        whose = "its rewards" if n == 1 else "their rewards"
        yield (
            f"note: {were} rewarded by another grader; `{command}` tells whether {whose} would "
            "be others now, without training"
        )
    stands = [item for item in todo.items if item.stands]
    if stale := [item.trial.id for item in stands if item.standing.stale_from is not None]:
        yield (
            f"note: rewards of {counted(len(stale), 'finished trial')} change under grader "
            f"{regraded.present()}; they stand as they were trained: {listed(stale, 2)}"
        )
    if again := [item for item in stands if item.standing.stale_from is None]:
        need = "needs" if len(again) == 1 else "need"
        yield (
            f"note: {counted(len(again), 'finished trial')} {need} training again for what the "
            f"manifest asks now: {again[0].trial.id}: {again[0].why}"
        )
    if stands:
        yield (
            f"note: `{made.command} --retrain` trains "
            f"{'it' if len(stands) == 1 else f'these {len(stands):,}'} again; what is there is kept"
        )


def diff(outlook: Outlook) -> Iterator[str]:
    """Only what changed since the sweep last started, and the claims that are not sealed."""
    made, changes = outlook.made, outlook.made.changes
    if not changes.locked:
        yield f"{made.name} never started: all {len(made.trials):,} trials are new"
        yield from plan_claims.diff(made)
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
    yield from plan_claims.diff(made)
    trials_moved = changes.new or changes.changed or changes.gone or changes.longer
    if not (trials_moved or made.claims_moved):
        yield "nothing changed since the sweep last started"


def summary(todo: Todo) -> str:
    """Counts in words: `+ 4 to run  = 8 done`."""
    symbols = Counter(item.symbol for item in todo.items)
    told = [f"{s} {symbols[s]:,} {word}" for s, word in WORDS.items() if symbols[s]]
    return "  ".join(told)


# -- what to think about ---------------------------------------------------------------------------


def warnings(outlook: Outlook) -> Iterator[str]:
    """One line a warning."""
    for warning in outlook.warnings:
        yield f"! {warning}"


def _next(outlook: Outlook) -> Iterator[str]:
    """What a sweep would do now, and by which command."""
    if not outlook.todo.left:
        yield "nothing to do"
        return
    placed = [(trial, outlook.placement(trial)) for trial in _real(outlook.left)]
    small = sum(p.fits is False for _, p in placed)
    wide = sum(p.fits is not False and not p.driven for _, p in placed)
    unsure = sum(p.fits is None and p.driven for _, p in placed)
    profile, n = outlook.profile, len(outlook.left)
    runs = n - small - wide if not profile.plans_only else 0
    told = [f"{max(0, runs - unsure):,} of {n:,} run on '{profile.name}'"]
    told += [f"whether {unsure:,} have the memory is not known"] * (unsure > 0)
    told += [f"{wide:,} need more than one GPU a trial, which zoo plans but does not run yet"] * (
        wide > 0
    )
    told += [f"{small:,} do not fit"] * (small > 0)
    if len(told) > 1:
        yield "; ".join(told)
    if profile.plans_only:
        yield f"'{profile.name}' is for planning: {profile.plans_only}"
    elif runs:
        at_once = f"{profile.concurrency} at a time on '{profile.name}'"
        yield f"{at_once}{', if they fit' * (unsure > 0)}; run them: {outlook.made.command}"


def _real(trials: list[Trial]) -> list[Trial]:
    return [trial for trial in trials if not trial.simulated]


def explain(outlook: Outlook, trial: Trial) -> Iterator[str]:
    """Why one trial runs, and what its id is made of."""
    (item,) = [item for item in outlook.todo.items if item.trial.id == trial.id]
    yield f"{_symbol(item.symbol)} {trial.id}: {item.why}"
    yield f"folder: {outlook.made.store.train(trial.id)}"
    for change in outlook.made.changes.changed:
        if change.trial.id == trial.id:
            yield f"was {change.old_id} ({change.kind}):"
            for name, old, new in change.fields:
                yield f"  {name}: {lock.short(old)} -> {lock.short(new)}"
    yield f"placement: {lies(trial, outlook.placement(trial))}"
    yield f"cost: {hours(outlook.one_cost(trial).hours)} {outlook.cost.unit}"
    yield from (f"  {sentence}" for sentence in forecloses([trial]))
    yield "the id is made of:"
    for name, value in identity.flat(trial.identity):
        yield f"  {name}: {identity.canonical(value)}"
