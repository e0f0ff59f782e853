"""Numbers of the report as people read them."""

from __future__ import annotations

import time

from zoo.stats.proportions import wilson

DASH, MINUS, TIMES = "\N{EN DASH}", "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage without its sign: 0.195 -> `19.5`; a dash for None."""
    return DASH if share is None else f"{100 * share:.{digits}f}"


def points(gain: float | None) -> str:
    """A difference of shares in points, always with its sign: 0.61 -> `+61.0`."""
    return DASH if gain is None else f"{100 * gain:+.1f}".replace("-", MINUS)


def length(tokens: float | None) -> str:
    """A mean length in tokens: one digit below 100, none above."""
    return DASH if tokens is None else f"{tokens:,.{0 if tokens >= 100 else 1}f}"


def interval(share: float | None, n: int) -> str:
    """Wilson's 95 % interval of a share, in per cent."""
    if share is None:
        return DASH
    low, high = wilson(share, n)
    return f"{100 * low:.1f} to {100 * high:.1f}"


def duration(seconds: float) -> str:
    """`42 s`, `3.5 min`, `2.1 h`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def day(time_s: float) -> str:
    """A time in seconds since the epoch as `2026-11-28 14:02 UTC`."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(time_s))
