"""When something is measured: a schedule and a horizon make rounds. Knows no benchmark."""

from __future__ import annotations

from zoo.manifest.schema import Schedule


def schedule_points(schedule: Schedule, horizon: int, watch: tuple[int, ...]) -> tuple[int, ...]:
    """Rounds of a schedule, ascending; rounds beyond the horizon are left out.

    `every: 5` means 0, 5, 10...; `last` the horizon; `last5` the horizon and the four points of
    `watch` before it.
    """
    points = set(range(0, horizon + 1, schedule.every)) if schedule.every else set[int]()
    for at in schedule.at:
        if at == "last":
            points.add(horizon)
        elif at == "last5":
            points.update({horizon, *sorted(p for p in watch if 0 < p < horizon)[-4:]})
        elif at <= horizon:
            points.add(int(at))
    return tuple(sorted(points))
