"""The contents of a plan as text: question, axes, recipe, changes, overrides, evaluations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from zoo.catalog import RecipeCard
from zoo.claims import planned_power
from zoo.errors import listed, plain
from zoo.manifest.metric_name import EVAL
from zoo.manifest.schema import Override
from zoo.planning import prompt_lengths
from zoo.planning.plan_report import Plan
from zoo.planning.reference_check import known
from zoo.render.plan_costs import counted
from zoo.resources.cost import parameters_of, trained_parameters
from zoo.stats.looks import shares as shares_of
from zoo.stats.verdicts import ALPHA
from zoo.trials import identity
from zoo.trials.grid import matches
from zoo.trials.metrics import final_rounds, last_k
from zoo.trials.trial import Trial
from zoo.trlspec import validation


def asked(outlook: Plan) -> Iterator[str]:
    """Question and predictions of the study."""
    experiment = outlook.experiment
    yield f"{experiment.name}: {experiment.question}"
    if experiment.prediction:
        yield f"predicted: {experiment.prediction}"


def what(outlook: Plan) -> Iterator[str]:
    """Axes, recipe and evaluations."""
    experiment, trials = outlook.experiment, outlook.study.trials
    if outlook.study.simulated:
        yield "SIMULATED: numbers are synthetic, nothing is trained"
    if outlook.study.manifest.rehearse:
        yield "REHEARSAL: pocket stand-ins, two rounds; no evidence about the models named"
    if names := dict.fromkeys(t.model.name for t in trials if t.random_weights):
        yield f"RANDOM WEIGHTS: {listed(names)} was never trained; its numbers are no evidence"
    for axis in dict.fromkeys(axis for t in trials for axis in t.cell):
        values = list(dict.fromkeys(plain(t.cell[axis]) for t in trials if axis in t.cell))
        yield f"{axis:<10} {len(values)}: {listed(values, 14)}"
    yield _counted(outlook)
    if told := _looks(outlook):
        yield f"looks      {told}"
    for axes in [list(group.values) for group in experiment.zip]:
        yield f"paired     {' with '.join(axes)}"
    for batch, recipes in _batches(trials).items():
        yield f"recipe     {', '.join(recipes)}: {batch}"
    yield from (f"changed    {line}" for line in _changed(outlook))
    yield from (f"LoRA       {line}" for line in _adapters(trials))
    yield from _overrides(outlook)
    yield from (f"evaluate   {line}" for line in evaluations(trials))
    yield f"final      {_final(outlook)}"
    if told := [f"{name}: {found}" for name, found in known(outlook.study.chosen, outlook.study)]:
        yield f"references {'; '.join(told)}"
    if told := prompt_lengths.line(outlook.study.chosen, outlook.study):
        yield f"prompts    {told}"
    for wire in experiment.tripwires:
        yield f"tripwire   {wire}: {wire.then}s a trial"


def _changed(outlook: Plan) -> Iterator[str]:
    """Changes to the recipe for all cells, by the manifest and the command line."""
    experiment, last = outlook.experiment, outlook.study.manifest.last
    said = {f"grpo.{name}": value for name, value in experiment.grpo.items()}
    said |= {f"batch.{name}": value for name, value in experiment.batch.items()}
    said |= {f"peft.{name}": value for name, value in experiment.peft.items()} | last
    card = outlook.study.catalog.get(RecipeCard, experiment.recipe)
    usual = {f"grpo.{name}": value for name, value in (validation.defaults() | card.grpo).items()}
    usual |= {f"batch.{name}": value for name, value in card.batch.model_dump().items()}
    usual |= {f"peft.{name}": value for name, value in card.peft.model_dump().items()}
    if outlook.study.manifest.rehearse:  # which has a batch of its own
        said = {name: value for name, value in said.items() if not name.startswith("batch.")}
    for name, value in said.items():
        before = f"{plain(usual[name])} -> " if name in usual else ""
        if not before or identity.canonical(usual[name]) != identity.canonical(value):
            yield f"{name} {before}{plain(value)}{' (--set)' if name in last else ''}"


def _adapters(trials: Sequence[Trial]) -> Iterator[str]:
    """Each setting of LoRA, and how much of which model it trains."""
    found: dict[str, dict[str, str]] = {}
    for trial in trials:
        if (peft := trial.peft) is not None and trial.trainer != "external":
            layers = ", ".join(peft.modules) or "all linear layers"
            dropout = f", dropout {peft.dropout:g}" if peft.dropout else ""
            share = 100 * trained_parameters(trial) / parameters_of(trial.model)
            shares = found.setdefault(f"r {peft.r}, alpha {peft.alpha:g}{dropout}, {layers}", {})
            shares[trial.model.name] = f"{share:.2g} % of {trial.model.name}"
    for words, shares in found.items():
        yield f"{words}: trains {listed(list(shares.values()))}"


def _final(outlook: Plan) -> str:
    """How a trial's final number is formed, in rounds; the decodings where they differ in it."""
    k, trial = last_k(outlook.experiment.final), outlook.study.trials[0]
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
        return f"round {rounds[0]}, the only evaluation of the last {k} required"
    return f"mean of the last {len(rounds)} evaluations: rounds {', '.join(map(str, rounds))}"


def _counted(outlook: Plan) -> str:
    experiment, trials = outlook.experiment, outlook.study.trials
    cells = len({t.id.rsplit(".s", 1)[0] + repr(t.cell) for t in trials})
    seeds, foreign = len(outlook.study.manifest.seeds), sum(t.trainer == "external" for t in trials)
    each = planned_power.seeds_of(seeds)
    text = f"{counted(cells, 'cell')} x {each} = {counted(len(trials), 'trial')}"
    text += f" of {counted(experiment.rounds, 'round')}"
    measured = f"{counted(foreign, 'measurement')} of checkpoints trained elsewhere"
    if foreign == len(trials):
        text = measured + (f", {seeds} samplings of each" if seeds > 1 else "")
    elif foreign:
        text += f", {measured} among them"
    notes = [f"{e.why} ({_said(e.match)})" for e in experiment.exclude]
    text += f"; left out: {'; '.join(notes)}" if notes else ""
    if len(outlook.study.chosen) < len(trials):
        text += f"; --only keeps {len(outlook.study.chosen):,} of them"
    added = [f"{_said(e.cell)}{f' ({e.why})' if e.why else ''}" for e in experiment.include]
    text += f"; added: {'; '.join(added)}" if added else ""
    return text


def _looks(outlook: Plan) -> str:
    """`look 1 of 4; then 5, 7, 9 seeds while a claim is open: at most 36 trials`."""
    looks, at = outlook.experiment.looks, outlook.study.manifest.look
    if looks is None:
        return ""
    text, later = f"look {at} of {len(looks.sizes)}", looks.sizes[at:]
    if later:
        most = len(outlook.study.trials) + len(outlook.later)
        seeds = ", ".join(map(str, later))
        text += f"; then {seeds} seeds while a claim is open: at most {counted(most, 'trial')}"
    shares = ", ".join(f"{100 * ALPHA * share:.2g}" for share in shares_of(len(looks.sizes)))
    return f"{text}; errors of the looks {shares} %"


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
            text = "trained elsewhere, only evaluated here"
        if trial.recipe not in found[text]:
            found[text].append(trial.recipe)
    return found


def _said(match: dict[str, object]) -> str:
    return ", ".join(f"{axis}={plain(value)}" for axis, value in match.items())


def _overrides(outlook: Plan) -> Iterator[str]:
    """Each override, the number of cells it applies to, and its effective batch."""
    last = outlook.study.manifest.last
    for i, override in enumerate(outlook.experiment.overrides, start=1):
        met = [t for t in outlook.study.trials if matches(t.cell, override.when)]
        values = ", ".join(
            f"{name} = {plain(value)}{' (but --set wins)' if name in last else ''}"
            for name, value in override.set.items()
        )
        why = f" ({override.why})" if override.why else ""
        where = f"override {i} where {_said(override.when)}"
        yield f"{where}: {values}; {counted(len(met), 'trial')}{why}"
        batch = any(name.startswith("batch.") for name in override.set)
        if batch and not outlook.study.manifest.rehearse:
            yield f"           {_effective(outlook, override, met)}"


def _effective(outlook: Plan, override: Override, met: list[Trial]) -> str:
    if not met:
        return "no trial"
    others = [t for t in outlook.study.trials if not matches(t.cell, override.when)]
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
            + ("" if series == EVAL else f", named {series}/...")
        )
    return lines or ["nothing"]


def _sampled(measured: tuple[str, dict[str, int]]) -> str:
    """`aime24 (32 responses a problem under t1.0)`, or only the name."""
    name, samples = measured
    more = [f"{n} responses a problem under {decoding}" for decoding, n in samples.items() if n > 1]
    return f"{name} ({', '.join(more)})" if more else name
