"""Where trials lie on the chosen profile, what cannot run there, and whose memory is tight, as
text."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.errors import listed
from zoo.planning.plan_report import Plan
from zoo.render.plan_costs import counted
from zoo.resources import SMALL, Placement
from zoo.trials.trial import Trial

TIGHT = 0.95  # of the usable memory, above which a placement is shown by part
Row = tuple[str, ...]


def kind(outlook: Plan) -> str:
    """`'h100x8' (8 x H100 SXM)`."""
    profile = outlook.profile
    hardware = f" ({profile.gpus} x {profile.gpu.name})" if profile.gpu and profile.gpus else ""
    return f"'{profile.name}'{hardware}"


def placement(outlook: Plan) -> Iterator[str]:
    """One line for all models that lie alike."""
    groups: dict[str, list[Trial]] = {}
    for trials, placed in _shapes(outlook):
        groups.setdefault(lies(trials[0], placed), []).extend(trials)
    for how, trials in groups.items():
        models = listed([_called(trial) for trial in trials], 12)
        who = f" ({models})" if len(groups) > 1 else ""
        yield f"placement  {counted(len(trials), 'trial')}{who}: {how}"


def _called(trial: Trial) -> str:
    """A model, and whether it is trained through adapters: it then lies otherwise."""
    return trial.model.name + (f" with LoRA r {trial.peft.r}" if trial.peft else "")


def lies(trial: Trial, placed: Placement, *, why: bool = False) -> str:
    """How one trial lies, in one line; `why` it does not fit, too."""
    width = placed.tensor_parallel
    where = placed.where + (f", tensor parallel {width}" if width > 1 else "")
    split = "evaluated only" if trial.trainer == "external" else placed.proof
    if placed.generation_batch:
        split += f"; transformers generates {placed.generation_batch:,} at a time"
    room = {True: "fits", False: "DOES NOT FIT", None: placed.why}[placed.fits]
    return f"{where}; {split}; {room}" + (f": {placed.why}" if why and placed.fits is False else "")


def elsewhere(outlook: Plan, trial: Trial) -> dict[str, str]:
    """The other profiles with a kind of GPU on which a trial fits -> how many GPUs it takes."""
    if trial.model.parameters <= SMALL:
        return {}
    others = outlook.cards(trial)
    others.pop(outlook.profile.name, None)
    return {f"'{name}'": placed.where for name, placed in others.items() if placed.fits}


def runs(outlook: Plan) -> tuple[int, int]:
    """Number of remaining trials that would run here, and for how many of these it is unknown
    whether they fit in memory."""
    placed = [outlook.placement(trial) for trial in outlook.left if not trial.simulated]
    here = [p for p in placed if p.fits is not False]
    simulated = len(outlook.left) - len(placed)
    return len(here) + simulated, sum(p.fits is None for p in here)


def some_wider(outlook: Plan) -> bool:
    """Whether trials take more GPUs than the profile gives each, so that fewer run at a time."""
    placed = [outlook.placement(trial) for trial in outlook.left if not trial.simulated]
    return any(one.gpus > max(1.0, outlook.profile.gpus_per_trial) for one in placed)


def only(outlook: Plan) -> str:
    """The `--only` filters that select the trials that run here; empty where all run, or where
    models do not separate them."""
    here: dict[str, set[bool]] = {}
    for trial in outlook.left:
        placed = outlook.placement(trial)
        runs_here = trial.simulated or placed.fits is not False
        here.setdefault(str(trial.cell["model"]), set()).add(runs_here)
    fit = [model for model, found in here.items() if found == {True}]
    if len(fit) == len(here) or any(len(found) > 1 for found in here.values()):
        return ""
    return f"model={','.join(fit)}"


def cannot(outlook: Plan) -> Iterator[str]:
    """What does not fit, and why."""
    left = {trial.id for trial in outlook.left}
    reasons: dict[str, list[Trial]] = {}
    for trials, placed in _shapes(outlook):
        found = [trial for trial in trials if trial.id in left and not trial.simulated]
        if found and placed.fits is False:
            others = listed(elsewhere(outlook, found[0]), 5)
            room = f"; it fits on {others}" if others else "; it fits on no profile"
            reasons.setdefault(f"{_called(found[0])}: {placed.why}{room}", []).extend(found)
    for why, found in reasons.items():
        yield f"! {counted(len(found), 'trial')} of {why}"


def tight(outlook: Plan) -> Iterator[str]:
    """Memory by part of the placements that have hardly any room, or none."""
    if outlook.study.manifest.rehearse:
        return
    rows: list[Row] = [
        ("", "trainer", "gathered", "activations", "context", "engine", "peak", "usable")
    ]
    for trials, placed in _shapes(outlook):
        memory = placed.memory
        if memory is None or (memory.peak <= TIGHT * placed.usable_gib and placed.fits):
            continue
        parts = (memory.persistent, memory.gathered, memory.activations, memory.context)
        figures = (*parts, memory.engine, memory.peak, placed.usable_gib)
        name = f"{_called(trials[0])}, {counted(placed.gpus, 'GPU')}"
        rows.append((name, *(f"{gib:.1f}" for gib in figures)))
    if len(rows) > 1:
        yield from _table(list(dict.fromkeys(rows)))
        yield "training and generation take turns, so a peak is less than the sum"


def _table(rows: list[Row]) -> Iterator[str]:
    """Columns side by side, all but the first aligned to the right."""
    first, *others = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [text.rjust(width) for text, width in zip(row[1:], others, strict=True)]
        yield "  ".join([row[0].ljust(first), *cells])


def _shapes(outlook: Plan) -> list[tuple[list[Trial], Placement]]:
    return [(trials, outlook.placement(trials[0])) for trials in outlook.shapes.values()]
