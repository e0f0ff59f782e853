"""A plan's sweep in simulated time: a table of orders, plain values, and a picture (SVG)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zoo.figures.plots import axis
from zoo.figures.scene import FONT, Area, Item, Line, Mark, Scene, Text, colour_of, text_width
from zoo.figures.svg import document
from zoo.planning.plan_report import Plan
from zoo.render.plan_costs import counted
from zoo.scheduling.order import ORDERS, Order, in_order
from zoo.scheduling.simulate import Bound, SimulatedSweep, SimulatedTrial, bound, jobs_of, simulate

GRID = "grid order"
WIDTH, HEIGHT, MARGIN = 640.0, 320.0, 40.0


@dataclass(frozen=True)
class PlanSimulation:
    """What is left of a plan in simulated time, in each order."""

    outlook: Plan
    jobs: tuple[SimulatedTrial, ...]
    left_out: int
    """Trials that are wider than the profile."""
    bound: Bound
    orders: dict[str, SimulatedSweep]

    @property
    def unit(self) -> str:
        """What is counted in."""
        return self.outlook.cost.unit


def simulated(outlook: Plan) -> PlanSimulation:
    """Simulate what is left of a plan in every order, and in that of the grid."""
    profile = outlook.profile
    jobs = jobs_of(outlook.left, outlook.cost.trials)
    by_id = {job.trial.id: job for job in jobs}
    extents = {job.trial.id: job.extent for job in jobs}
    found = {
        order: simulate(
            [by_id[t.id] for t in in_order(outlook.left, order, extents, profile)], profile
        )
        for order in ORDERS
    }
    found[GRID] = simulate(jobs, profile)
    slots = found[GRID].slots
    left_out = sum(job.gpus > slots for job in jobs)
    return PlanSimulation(outlook, tuple(jobs), left_out, bound(jobs, slots), found)


def lines(simulation: PlanSimulation) -> Iterator[str]:
    """The table of orders."""
    outlook, least = simulation.outlook, simulation.bound
    slots = simulation.orders[GRID].slots
    what = "processes" if outlook.cost.unit == "CPU-hours" else "GPUs"
    trials = counted(len(simulation.jobs), "trial")
    yield f"simulated on {outlook.profile.name}: {trials} left, {slots:,} {what}"
    if simulation.left_out:
        yield f"{counted(simulation.left_out, 'trial')} wider than that left out"
    yield ""
    yield f"{'order':<14}  {'hours':>9}  {'over bound':>10}  {'idle':>12}  {'every cell once':>15}"
    for name, one in simulation.orders.items():
        over = f"{one.makespan / least.hours - 1:.1%}" if least.hours else "-"
        idle = f"{one.idle:,.0f} {'CPU-h' if what == 'processes' else 'GPU-h'}"
        yield (
            f"{name:<14}  {one.makespan:>9,.2f}  {over:>10}  {idle:>12}  "
            f"{one.first_picture:>13,.2f} h"
        )
    yield ""
    yield f"no order takes less than {least.hours:,.2f} hours: {least.why}"


def as_data(simulation: PlanSimulation) -> dict[str, Any]:
    """The same as plain values; hours of wall time, `idle` in the unit of the plan's costs."""
    least = simulation.bound
    return {
        "name": simulation.outlook.name,
        "profile": simulation.outlook.profile.name,
        "slots": simulation.orders[GRID].slots,
        "trials": len(simulation.jobs),
        "left_out": simulation.left_out,
        "unit": simulation.unit,
        "bound": {"hours": least.hours, "why": least.why},
        "orders": {
            name: {
                "hours": one.makespan,
                "over_bound": one.makespan / least.hours - 1 if least.hours else None,
                "idle": one.idle,
                "first_picture_hours": one.first_picture,
            }
            for name, one in simulation.orders.items()
        },
    }


def picture(simulation: PlanSimulation, order: Order) -> str:
    """An SVG of which trial holds which GPU when, coloured by model."""
    sweep = simulation.orders[order]
    models = list(dict.fromkeys(span.job.trial.model.name for span in sweep.spans))
    legend, rows = _legend(models)
    top, bottom, right = 12.0, HEIGHT - MARGIN - 12 * rows, WIDTH - 12
    hours = axis("hours", [0.0, sweep.makespan])
    each = (bottom - top) / max(1, sweep.slots)
    items: list[Item] = []
    for value, text in hours.ticks:
        at = hours.at(value, MARGIN, right)
        items += [
            Line(((at, top), (at, bottom)), opacity=0.12),
            Text(at, bottom + 9, text, anchor="middle"),
        ]
    for span in sweep.spans:
        colour = colour_of(models.index(span.job.trial.model.name))
        start, end = (hours.at(value, MARGIN, right) for value in (span.start, span.end))
        for gpu in span.gpus:
            low, high = top + gpu * each, top + (gpu + 1) * each - min(0.5, each / 8)
            corners = ((start, low), (end - 0.3, low), (end - 0.3, high), (start, high))
            items.append(Area(corners, colour, 0.8))
    picture_at = hours.at(sweep.first_picture, MARGIN, right)
    items += [
        Line(((picture_at, top), (picture_at, bottom)), width=1.0, dashed=True),
        Text(picture_at, top - 3, "every cell once", anchor="end"),
        Line(((MARGIN, top), (MARGIN, bottom), (right, bottom))),
        Text((MARGIN + right) / 2, bottom + 20, "hours", anchor="middle"),
        Text(14, (top + bottom) / 2, f"{sweep.slots:,} GPUs", anchor="middle", turn=90),
        *(item.moved(MARGIN, bottom + 32) for item in legend),
    ]
    label = f"{simulation.outlook.name}, {order}: which model holds which GPU when"
    return document(Scene(WIDTH, HEIGHT, tuple(items)), label)


def _legend(models: list[str]) -> tuple[list[Item], int]:
    """The legend, and how many rows it has."""
    items, x, row = list[Item](), 0.0, 0
    for index, model in enumerate(models):
        wide = 20 + text_width(model)
        if x and x + wide > WIDTH - 2 * MARGIN:
            x, row = 0.0, row + 1
        items += [
            Mark(x + 4, row * 12 - 0.36 * FONT, "square", colour_of(index), 6),
            Text(x + 10, row * 12, model),
        ]
        x += wide
    return items, row + 1
