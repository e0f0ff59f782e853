"""The plan for people, as `terraform plan` tells one: what, why, where, how long, and what to think
about first."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import click

from zoo.cli.outlook import GIB, Outlook
from zoo.manifest import identity, lock, power
from zoo.manifest.cells import matches
from zoo.manifest.fit import Hours, Placement, forecloses
from zoo.manifest.lock import Comparison
from zoo.manifest.schema import Override
from zoo.manifest.trial import Trial
from zoo.orchestrate.todo import Item, Todo

COLOURS = {"+": "green", "~": "yellow", "=": None, ">": "yellow", "!": "red"}
WORDS = {"+": "to run", "~": "stale", ">": "unfinished", "=": "done", "!": "failed"}
MOST_LINES = 40  # trials that are listed one by one without --all


def whole(outlook: Outlook, name: str, *, every_trial: bool) -> Iterator[str]:
    """The whole plan."""
    yield from head(outlook)
    yield from trial_lines(outlook.todo, every_trial=every_trial)
    yield from change_lines(outlook.made.changes)
    if outlook.left:
        yield from _section("placement", placement(outlook))
        yield from _section("cost of what is left", cost(outlook))
    yield from _section("claims: what the seeds can detect (80 % power)", claims(outlook))
    yield from _section("warnings", warnings(outlook))
    yield ""
    yield summary(outlook.todo)
    yield _next(outlook, name)


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield click.style(title, bold=True)
        yield from (f"  {line}" for line in found)


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
        values = list(dict.fromkeys(str(t.cell[axis]) for t in trials if axis in t.cell))
        yield f"  {axis:<10} {len(values)}: {_some(values, 14)}"
    yield f"  {_counted(outlook)}"
    for batch, recipes in _batches(trials).items():
        yield f"  {', '.join(recipes)}: {batch}"
    yield from (f"  {line}" for line in _overrides(outlook))
    yield from (f"  evaluate   {line}" for line in evaluations(trials))
    for wire in experiment.tripwires:
        yield f"  tripwire   {wire}: recorded and shown; no trial is marked or stopped by it yet"
    yield ""


def _counted(outlook: Outlook) -> str:
    experiment, trials = outlook.experiment, outlook.made.trials
    cells = len({t.id.rsplit(".s", 1)[0] + repr(t.cell) for t in trials})
    seeds = len(experiment.seeds)
    text = f"{cells:,} cells x {power.seeds_of(seeds)} = {len(trials):,} trials"
    text += f" of {experiment.rounds} rounds"
    notes = [f"{e.why} ({_said(e.match)})" for e in experiment.exclude]
    text += f"; left out: {'; '.join(notes)}" if notes else ""
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
    return ", ".join(f"{axis}={value}" for axis, value in match.items())


def _overrides(outlook: Outlook) -> Iterator[str]:
    """Each override, how many cells it meets, and what it does to the effective batch."""
    for i, override in enumerate(outlook.experiment.overrides, start=1):
        met = [t for t in outlook.made.trials if matches(t.cell, override.when)]
        values = ", ".join(f"{name} = {value}" for name, value in override.set.items())
        why = f" ({override.why})" if override.why else ""
        yield f"override {i} where {_said(override.when)}: {values}; {len(met):,} trials{why}"
        if any(name.startswith("batch.") for name in override.set):
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
    found: dict[tuple[object, ...], tuple[list[str], list[str]]] = {}
    for e in trials[0].evaluations:
        key = (e.schedules, e.problems, e.rounds, e.samples if e.samples > 1 else 1)
        benchmarks, decodings = found.setdefault(key, ([], []))
        benchmarks += [e.benchmark.name] if e.benchmark.name not in benchmarks else []
        decodings += [e.decoding_name] if e.decoding_name not in decodings else []
    lines = []
    for (schedules, problems, rounds, samples), (benchmarks, decodings) in found.items():
        assert isinstance(rounds, tuple)
        assert isinstance(schedules, tuple)
        at = [*rounds[:3], "...", rounds[-1]] if len(rounds) > 6 else rounds
        each = " each" if len(benchmarks) > 1 else ""
        size = f"{problems} problems{each}" if problems else "all problems"
        size += f", {samples} responses a problem" if samples != 1 else ""
        lines.append(
            f"{', '.join(schedules)}: {', '.join(benchmarks)} ({size}) under "
            f"{', '.join(decodings)} at rounds {', '.join(map(str, at))}"
        )
    return lines or ["nothing"]


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
        ids = _some([item.trial.id for item in items], 2)
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
    kinds = {"edited": "changed in the manifest", "pinned": "pinned", "drift": "DRIFT"}
    for kind, word in kinds.items():
        groups: Counter[str] = Counter(str(c) for c in changes.changed if c.kind == kind)
        yield from (f"~ {n:,} {word}: {fields}" for fields, n in groups.items())
    if changes.gone:
        ids = [row["id"] for row in changes.gone]
        yield f"- {len(ids):,} no longer in the manifest (runs are kept): {_some(ids, 2)}"


def diff(outlook: Outlook) -> Iterator[str]:
    """Only what changed since the sweep last started."""
    changes = outlook.made.changes
    if not changes.locked:
        yield f"{outlook.made.name} never started: all {len(outlook.made.trials):,} trials are new"
        return
    for trial in changes.new:
        yield f"+ {trial.id}"
    for change in changes.changed:
        yield f"~ {change.trial.id} (was {change.old_id}): {change.kind}"
        for name, old, new in change.fields:
            yield f"    {name}: {lock.short(old)} -> {lock.short(new)}"
    for row in changes.gone:
        yield f"- {row['id']}"
    if not (changes.new or changes.changed or changes.gone):
        yield "nothing changed since the sweep last started"


def summary(todo: Todo) -> str:
    """Counts in words: `+ 4 to run  = 8 done`."""
    symbols = Counter(item.symbol for item in todo.items)
    told = [f"{s} {symbols[s]:,} {word}" for s, word in WORDS.items() if symbols[s]]
    return "  ".join(told)


# -- where and how long ----------------------------------------------------------------------------


def placement(outlook: Outlook) -> Iterator[str]:
    """One row a shape: how it lies on the chosen profile, its memory by part, and which kinds of
    GPU it fits."""
    profile = outlook.profile
    shapes = [(trials, outlook.placement(trials[0])) for trials in outlook.shapes.values()]
    kind = f"{profile.gpus} x {profile.gpu.name}" if profile.gpu and profile.gpus else profile.about
    yield f"on '{profile.name}' ({kind.rstrip('.')}):"
    yield from _table(
        [
            (t[0].model.name, f"{len(t):,} trial{'s'[: len(t) != 1]}", _where(p), p.proof, _room(p))
            for t, p in shapes
        ]
    )
    for trials, placed in shapes:
        if placed.fits is False:
            yield f"! {trials[0].model.name}: {placed.why}"
    known = [(t[0].model.name, p, p.memory) for t, p in shapes if p.memory is not None]
    if known:
        parts = [name for name in known[0][2].parts() if any(m.parts()[name] for _, _, m in known)]
        rows: list[tuple[object, ...]] = [("GiB a GPU", *parts, "peak", "usable")]
        for name, placed, memory in known:
            values = [f"{memory.parts()[part]:.1f}" for part in parts]
            rows.append((name, *values, f"{memory.peak:.1f}", f"{placed.usable_gib:.1f}"))
        yield ""
        yield from _table(rows, right=True)
    sized = [trials[0] for trials, _ in shapes if trials[0].model.geometry is not None]
    cards = [(trial.model.name, outlook.cards(trial)) for trial in sized]
    if known and cards:
        head: tuple[object, ...] = ("fits on", *cards[0][1])
        yield ""
        yield from _table([head, *((name, *map(_fits, found.values())) for name, found in cards)])
    if profile.plans_only:
        yield f"this profile is for planning: {profile.plans_only}"


def _table(rows: list[tuple[object, ...]], *, right: bool = False) -> Iterator[str]:
    """Columns side by side; `right` aligns all but the first to the right."""
    texts = [[str(value).replace("_", " ") if right else str(value) for value in r] for r in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        cells = [
            text.rjust(width) if right and i else text.ljust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _room(placed: Placement) -> str:
    return {True: "fits", False: "DOES NOT FIT", None: placed.why}[placed.fits]


def _placed(placed: Placement) -> str:
    why = f": {placed.why}" if placed.fits is False else ""
    return f"{_where(placed)}; {placed.proof}; {_room(placed)}{why}"


def _where(placed: Placement) -> str:
    width = placed.tensor_parallel
    return placed.where + (f", tensor parallel {width}" if width > 1 else "")


def _fits(placed: Placement) -> str:
    return {True: placed.where, False: "no", None: "unknown"}[placed.fits]


def cost(outlook: Outlook) -> Iterator[str]:
    """Hours, money, disk and downloads of what is left to run."""
    found, unit = outlook.cost, outlook.cost.unit
    yield f"{hours(found.hours)} {unit} in all; rates: {found.train.source or 'none'}"
    parts = {
        "training": found.train,
        "evaluation": found.evaluation,
        "base models": found.base,
        "starting": found.start,
    }
    yield ", ".join(f"{name} {figure(part.mid)}" for name, part in parts.items())
    for axis, arms in found.arms.items():
        if len(arms) > 1:
            told = [f"{value} {figure(arm.mid)}" for value, arm in arms.items()]
            yield f"by {axis}: {_some(told, 12)}"
    if found.wall_hours is not None:
        yield f"wall-clock at least {hours(found.wall_hours)} h on '{outlook.profile.name}'"
    if found.usd is not None:
        gpu = outlook.profile.gpu
        source = f" ({gpu.usd_source})" if gpu and gpu.usd_source else ""
        yield f"money {hours(found.usd)} USD{source}"
    yield (
        f"a trial that dies starts again at round 0: at worst {figure(found.worst_loss.mid)} "
        f"{unit} are lost"
    )
    disk = f"disk {size(found.peak_bytes)} at the end ({size(found.disk.total)} runs)"
    fetch = sum(found.downloads.values())
    names = list(found.downloads)
    yield disk + (f"; downloads {size(fetch)}: {_some(names, 5)}" if fetch else "")
    yield from forecloses(outlook.left)
    budget = outlook.experiment.budget
    for name, limit in budget.stated.items():
        if name in outlook.estimate:
            spent = outlook.estimate[name]
            yield f"budget {name} {figure(limit)}: {100 * spent / limit:.0f} % planned"


def hours(found: Hours) -> str:
    """`196,000 (97,900 to 392,000)`."""
    return f"{figure(found.mid)} ({figure(found.low)} to {figure(found.high)})"


def figure(value: float) -> str:
    """A number to three digits."""
    if value >= 1000:
        digits = 10 ** (len(str(int(value))) - 3)
        return f"{round(value / digits) * digits:,}"
    return f"{value:.3g}"


def size(n: float) -> str:
    """Bytes in a readable unit."""
    gib = n / GIB
    if gib >= 1024:
        return f"{figure(gib / 1024)} TiB"
    return f"{figure(gib)} GiB" if gib >= 1 else f"{figure(gib * 1024)} MiB"


# -- what to think about ---------------------------------------------------------------------------


def claims(outlook: Outlook) -> Iterator[str]:
    """What each claim says and what the seeds can detect."""
    yield from power.lines(outlook.powers)
    sealed = outlook.made.lock is not None
    if outlook.powers:
        word = "those in the lock stay sealed" if sealed else "`zoo sweep` seals them"
        yield f"{len(outlook.powers)} verdicts, corrected together (Holm); {word}"


def warnings(outlook: Outlook) -> Iterator[str]:
    """One line a warning."""
    for warning in outlook.warnings:
        where = f" [{warning.where}]" if warning.where else ""
        yield f"! {warning.text}{where}"


def _next(outlook: Outlook, name: str) -> str:
    if not outlook.todo.left:
        return "nothing to do"
    at_once = f"{outlook.profile.concurrency} at a time on '{outlook.profile.name}'"
    return f"{at_once}; run them: zoo sweep {name}"


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
    yield f"placement: {_placed(outlook.placement(trial))}"
    yield f"cost: {hours(outlook.one_cost(trial).hours)} {outlook.cost.unit}"
    yield "the id is made of:"
    for name, _, value in identity.differences({}, trial.identity):
        yield f"  {name}: {identity.canonical(value)}"


def _some(values: list[str], most: int) -> str:
    more = f" and {len(values) - most:,} more" if len(values) > most + 1 else ""
    return ", ".join(values[:most] if more else values) + more
