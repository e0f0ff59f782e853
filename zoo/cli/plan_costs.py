"""Where trials lie, whether they fit, and what they cost, as text."""

from __future__ import annotations

from collections.abc import Iterator

from zoo.cli.outlook import GIB, Outlook
from zoo.errors import listed
from zoo.manifest.fit import SMALL, Hours, Placement
from zoo.manifest.trial import Trial

Row = tuple[object, ...]


def placement(outlook: Outlook) -> Iterator[str]:
    """One row a shape: how it lies on the chosen profile, its memory by part, and which kinds of
    GPU it fits; equal rows once."""
    profile = outlook.profile
    shapes = [(trials, outlook.placement(trials[0])) for trials in outlook.shapes.values()]
    kind = f"{profile.gpus} x {profile.gpu.name}" if profile.gpu and profile.gpus else profile.about
    yield f"on '{profile.name}' ({kind.rstrip('.')}):"
    yield from _table(
        [(t[0].model.name, counted(len(t), "trial"), *_lies(t[0], p)) for t, p in shapes]
    )
    reasons = [f"! {t[0].model.name}: {p.why}" for t, p in shapes if p.fits is False]
    yield from dict.fromkeys(reasons)
    if outlook.made.manifest.rehearse:
        return
    known = [(t[0].model.name, p, p.memory) for t, p in shapes if p.memory is not None]
    if known:
        parts = [name for name in known[0][2].parts() if any(m.parts()[name] for _, _, m in known)]
        rows: list[Row] = [("GiB a GPU", *parts, "peak", "usable")]
        for name, placed, memory in known:
            values = [f"{memory.parts()[part]:.1f}" for part in parts]
            rows.append((name, *values, f"{memory.peak:.1f}", f"{placed.usable_gib:.1f}"))
        yield ""
        yield from _table(rows, right=True)
    sized = {t[0].model.name: t[0] for t, _ in shapes if t[0].model.parameters > SMALL}
    if sized:
        cards = {name: outlook.cards(trial) for name, trial in sized.items()}
        head: Row = ("fits on", *next(iter(cards.values())))
        yield ""
        yield from _table([head, *((n, *map(_fits, found.values())) for n, found in cards.items())])


def _lies(trial: Trial, placed: Placement) -> tuple[str, ...]:
    if trial.trainer == "external":
        return (_where(placed), "measured only", _room(placed))
    return (_where(placed), placed.proof, _room(placed))


def _table(rows: list[Row], *, right: bool = False) -> Iterator[str]:
    """Columns side by side, equal rows once; `right` aligns all but the first to the right."""
    rows = list(dict.fromkeys(rows))
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


def lies(trial: Trial, placed: Placement) -> str:
    """How one trial lies, in one line."""
    why = f": {placed.why}" if placed.fits is False else ""
    return "; ".join(_lies(trial, placed)) + why


def _where(placed: Placement) -> str:
    width = placed.tensor_parallel
    return placed.where + (f", tensor parallel {width}" if width > 1 else "")


def _fits(placed: Placement) -> str:
    return {True: placed.where, False: "no", None: "unknown"}[placed.fits]


def cost(outlook: Outlook) -> Iterator[str]:
    """Hours, money, disk and downloads of what is left to run."""
    found, unit = outlook.cost, outlook.cost.unit
    source = found.train.source or found.evaluation.source or "none"
    yield f"{hours(found.hours)} {unit} in all; rates: {source}"
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
            yield f"by {axis}: {listed(told, 12)}"
    if found.wall_hours is not None:
        least = f"wall-clock at least {hours(found.wall_hours)} h"
        yield f"{_if_it_fits(outlook)}{least} on '{outlook.profile.name}'"
    if found.usd is not None:
        gpu = outlook.profile.gpu
        source = f" ({gpu.usd_source})" if gpu and gpu.usd_source else ""
        yield f"money {hours(found.usd)} USD{source}"
    foreign = all(trial.trainer == "external" for trial in outlook.left)
    if foreign:
        yield "a measurement that dies goes on after the last evaluation that was done"
    else:
        yield from _loss(outlook)
    disk = f"disk {size(found.peak_bytes)} at the end ({size(found.disk.total)} runs)"
    fetch = sum(found.downloads.values())
    names = list(found.downloads)
    yield disk + (f"; downloads {size(fetch)}: {listed(names, 5)}" if fetch else "")
    if not foreign:
        yield (
            "kept: last weights, all responses and samples; not kept: checkpoints between, "
            "optimiser states, log-probabilities (--explain says what that rules out)"
        )
    budget = outlook.experiment.budget
    for name, limit in budget.stated.items():
        if name in outlook.estimate:
            spent = outlook.estimate[name]
            yield f"budget {name} {limit:,.10g}: {100 * spent / limit:.0f} % planned"


def _loss(outlook: Outlook) -> Iterator[str]:
    """What a crash can cost: of one trial, and of a node with all that runs there at once."""
    found = outlook.cost
    trials, node = found.node_loss
    if not trials:
        return
    text = "a crash loses what was running, as trials start again at round 0: at most "
    text += f"{figure(found.worst_loss.mid)} {found.unit} if one trial dies"
    if trials > 1:
        text += f", {figure(node.mid)} if the machine does with {trials} at once"
    yield text


def _if_it_fits(outlook: Outlook) -> str:
    """What a wall-clock time rests on, where that is not the case or not known."""
    real = [t[0] for t in outlook.shapes.values() if not t[0].simulated]
    fits = {outlook.placement(trial).fits for trial in real}
    if False in fits:
        return "if all of it fitted here, "
    return "if all of it fits here, " if None in fits else ""


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


def counted(n: int, noun: str) -> str:
    """`1 trial`, `2,000 trials`."""
    return f"{n:,} {noun}{'s'[: n != 1]}"
