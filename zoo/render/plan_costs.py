"""The cost of a plan as text: hours, money, disk, downloads, and what a crash can lose."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.errors import listed
from zoo.planning.budget_forecast import BudgetState
from zoo.planning.plan_report import GIB, Plan
from zoo.resources import Hours


def cost(outlook: Plan) -> Iterator[str]:
    """Hours, money, disk and downloads of the remaining trials."""
    yield from _hours(outlook)
    yield from _wall_clock(outlook)
    budget = outlook.experiment.budget
    for name, limit in budget.stated.items():
        if name in outlook.estimate:
            planned, most = outlook.estimate[name], outlook.upper[name]
            reach = f", up to {_share(most, limit)}" if most > planned else ""
            spent = outlook.spent.get(name, 0.0)
            before = f", {figure(spent)} of it spent" if spent else ""
            yield f"budget {name} {limit:,.10g}: {_share(planned, limit)} planned{reach}{before}"
    yield from held_lines(outlook.budget)
    if outlook.lengths:
        yield f"assumed response tokens, mean over training: {', '.join(_lengths(outlook))}"
    found, gpu = outlook.cost, outlook.profile.gpu
    if found.usd is not None:
        source = f" ({gpu.usd_source})" if gpu and gpu.usd_source else ""
        yield f"{hours(found.usd)} USD{source}"
    if foreign := all(trial.trainer == "external" for trial in outlook.left):
        yield "a measurement that dies goes on after the last evaluation that was done"
    else:
        yield from _loss(outlook)
    disk = f"disk {size(found.peak_bytes)} at most ({size(found.disk.total)} runs at the end"
    disk += f", {size(found.running_bytes)} checkpoints while they run)"
    fetch = sum(found.downloads.values())
    names = list(found.downloads)
    yield disk + (f"; downloads {size(fetch)}: {listed(names, 5)}" if fetch else "")
    if not foreign:
        yield (
            f"kept: {_kept(outlook)}, all responses and samples; not kept: "
            f"{'' if outlook.profile.keep_extendable else 'optimiser states, '}log-probabilities "
            "(--explain ID lists what that rules out)"
        )


def held_lines(state: BudgetState | None) -> Iterator[str]:
    """What a budget holds back, and by which limit."""
    if state is not None and state.held:
        level = next(iter(state.held.values()))
        yield (
            f"held back by the budget ({level}): {counted(len(state.held), 'trial')}; raise it "
            f"in the manifest or with --set budget.{level.name}=N"
        )


def _hours(outlook: Plan) -> Iterator[str]:
    """All hours, by kind of work and by arm."""
    found, unit = outlook.cost, outlook.cost.unit
    source = found.train.source or found.evaluation.source or "none"
    yield f"{hours(found.hours)} {unit}; rates: {source}"
    parts = {
        "training": found.train,
        "evaluation": found.evaluation,
        "base models": found.base,
        "starting": found.start,
    }
    yield "  " + ", ".join(f"{name} {figure(part.mid)}" for name, part in parts.items())
    if outlook.later:
        most = outlook.cost_at_most
        money = f", {figure(most.usd.mid)} USD" if most.usd is not None else ""
        yield f"  at most {hours(most.hours)} {unit}{money} with all later looks"
    for axis, arms in found.arms.items():
        if len(arms) > 1:
            told = [f"{value} {figure(arm.mid)}" for value, arm in arms.items()]
            yield f"  by {axis}: {listed(told, 12)}"


def _wall_clock(outlook: Plan) -> Iterator[str]:
    if outlook.cost.wall_hours is not None:
        least = f"{hours(outlook.cost.wall_hours)} wall-clock hours at least"
        yield least + _if_it_fits(outlook)


def _lengths(outlook: Plan) -> Iterator[str]:
    """`mistral-7b 4,145-4,341`: of each model over its arms."""
    for model, (low, high) in outlook.lengths.items():
        yield f"{model} {low:,.0f}" + (f"-{high:,.0f}" if round(low) < round(high) else "")


def _loss(outlook: Plan) -> Iterator[str]:
    """What a crash can cost: of one trial, and of a node with all its concurrent trials."""
    found = outlook.cost
    trials, node = found.node_loss
    if not trials:
        return
    text = _saves(outlook)
    text += f"a crash loses at most {figure(found.worst_loss.mid)} {found.unit} if one trial dies"
    if trials > 1:
        where = "node" if found.unit == "GPU-hours" else "machine"
        text += f", {figure(node.mid)} if a {where} dies with the {trials} that it runs at once"
    yield text


def _saves(outlook: Plan) -> str:
    """How often checkpoints are saved, and the share of the time that this takes."""
    saves = [cost.saves for cost in outlook.cost.trials if cost.saves.every]
    if not saves:
        return ""
    low, high = (pick(each.every for each in saves) for pick in (min, max))
    rounds = f"{low} to {high} rounds" if low < high else f"{low} round{'s'[: low != 1]}"
    share = 100 * max(each.share for each in saves)
    return f"checkpoints every {rounds}, at most {share:.2g} % of the time; "


def _kept(outlook: Plan) -> str:
    """Which weights the profile keeps."""
    word, _, every = outlook.profile.keep.partition(":")
    between = {
        "all": " and those of all checkpoints",
        "every": f" and those of every {every} rounds",
    }
    return "last weights" + between.get(word, "")


def _if_it_fits(outlook: Plan) -> str:
    """Assumptions of a wall-clock time that are false or unknown here."""
    real = [t[0] for t in outlook.shapes.values() if not t[0].simulated]
    fits = {outlook.placement(trial).fits for trial in real}
    if False in fits:
        return ", if all of it fitted here"
    return ", if all of it fits here" if None in fits else ""


def hours(found: Hours) -> str:
    """`196,000 (97,900 to 392,000)`."""
    return f"{figure(found.mid)} ({figure(found.low)} to {figure(found.high)})"


def figure(value: float) -> str:
    """A number to three digits."""
    if value >= 1000:
        digits = 10 ** (len(str(int(value))) - 3)
        return f"{round(value / digits) * digits:,}"
    return f"{value:.3g}"


def _share(part: float, whole: float) -> str:
    """`84 %`; far above 100 %, as a multiple."""
    return f"{100 * part / whole:.0f} %" if part < 10 * whole else f"{figure(part / whole)} times"


def size(n: float) -> str:
    """Bytes in a readable unit."""
    gib = n / GIB
    if gib >= 1024:
        return f"{figure(gib / 1024)} TiB"
    return f"{figure(gib)} GiB" if gib >= 1 else f"{figure(gib * 1024)} MiB"


def counted(n: int, noun: str) -> str:
    """`1 trial`, `2,000 trials`."""
    return f"{n:,} {noun}{'s'[: n != 1]}"
