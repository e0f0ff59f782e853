"""The display while a sweep runs: one line a trial, redrawn in place, on a terminal; else
a line an event.

Draws a `Watch`; reads no files and no processes. At most four redraws a second.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import Protocol, TextIO

from zoo.orchestrate.watch import View, Watch
from zoo.scheduling.executor import Event

REDRAW_S = 0.25
LINES_PER_TRIAL = 6  # how often a trial prints while it trains, without a terminal
BAR = 12
WIDTH_OF_FIGURES = 2 + 2 + 11 + 1 + 7 + 2 + 6 + 2 + 6 + 2 + 10
PHASES = {
    "loading": "loads its model",
    "base": "evaluates its base model",
    "training": "trains",
}
SYMBOLS = {"done": "=", "stopped": "=", "failed": "!", "interrupted": ">", "waiting": " "}
COLOURS = {"done": "32", "stopped": "33", "failed": "31", "interrupted": "33", "waiting": "2"}


class Display(Protocol):
    """A receiver of progress events."""

    def start(self, watch: Watch) -> None:
        """Begin with a sweep."""
        ...

    def event(self, event: Event) -> None:
        """Take note that a trial started or ended."""
        ...

    def tick(self) -> None:
        """Show the rounds that came since; called every second or so."""
        ...

    def say(self, text: str) -> None:
        """Show a text of one or more lines."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def display(stream: TextIO = sys.stdout) -> Display:
    """The display that fits a stream."""
    dumb = os.environ.get("TERM", "dumb") == "dumb" or os.environ.get("CI")
    return Lines(stream) if dumb or not stream.isatty() else LiveDisplay(stream)


class Lines:
    """A line an event: start, some rounds in between, end."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.watch = stream, Watch([], None, 1)  # type: ignore[arg-type]
        self.told: dict[str, str] = {}
        self.over = 0
        """Trials that ended."""

    def start(self, watch: Watch) -> None:
        """Start reporting a sweep."""
        self.watch, self.over = watch, 0

    def event(self, event: Event) -> None:
        """Report that a trial started or ended."""
        view = self.watch.views[event.id]
        if event.ended is None:
            after = f", continues after round {view.resumes}" if view.resumes else ""
            self.say(f"{view.name}  started{after}")
            return
        self.over += 1
        self.say(f"{view.name}  {ending(view)}  ({self.over}/{len(self.watch.views)})")

    def tick(self) -> None:
        """Report new rounds, a few times in the life of each trial."""
        for view in self.watch.views.values():
            if view.begun is None or view.ended is not None:
                continue
            before = view.round
            if view.update() and _speaks(before, view.round, view.trial.rounds):
                self.say(f"{view.name}  {figures(view)}")
            elif view.round < 1 and (phase := PHASES.get(view.state)):
                if self.told.get(view.name) != phase:
                    self.say(f"{view.name}  {phase}")
                self.told[view.name] = phase

    def say(self, text: str) -> None:
        """Print a line with the time of day."""
        for line in text.splitlines():
            print(time.strftime("%H:%M:%S"), "", line, file=self.stream, flush=True)

    def close(self) -> None:
        """Nothing is left to do."""


def _speaks(before: int, now: int, rounds: int) -> bool:
    step = max(1, rounds // LINES_PER_TRIAL)
    return now < rounds and now // step > max(before, 0) // step


class LiveDisplay:
    """Redraws in place."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self.watch = stream, Watch([], None, 1)  # type: ignore[arg-type]
        self.drawn, self._last, self._lock = 0, 0.0, threading.Lock()

    def start(self, watch: Watch) -> None:
        """Begin to draw a sweep."""
        self.watch = watch
        self._draw()

    def event(self, event: Event) -> None:
        """A failure leaves its reason above the lines; everything else shows by itself."""
        view = self.watch.views[event.id]
        if event.ended is not None and event.ended.state == "failed":
            self.say(f"{view.name}: {ending(view)}")

    def tick(self) -> None:
        """Redraw, if the last time is long enough ago."""
        if time.monotonic() - self._last >= REDRAW_S:
            for view in self.watch.views.values():
                if view.begun is not None and view.ended is None:
                    view.update()
            self._draw()

    def say(self, text: str) -> None:
        """Print text above the lines."""
        self._draw(text)

    def close(self) -> None:
        """Draw once more and leave it on screen; later output follows below."""
        self._draw()
        self.drawn, self.watch = 0, Watch([], None, 1)  # type: ignore[arg-type]

    def _draw(self, above: str = "") -> None:
        with self._lock:  # the mirror's thread may have something to say
            self._draw_now(above)

    def _draw_now(self, above: str) -> None:
        size = shutil.get_terminal_size()
        height = max(4, size.lines - 1)
        lines = picture(self.watch, size.columns - 1, height, colour=True)
        text = f"\x1b[{self.drawn}F" if self.drawn else ""
        text += "".join(f"\x1b[2K{line}\n" for line in [*above.splitlines(), *lines])
        self.stream.write(text + "\x1b[J")
        self.stream.flush()
        self.drawn, self._last = len(lines), time.monotonic()


def picture(watch: Watch, width: int, height: int, *, colour: bool = False) -> list[str]:
    """The lines of a sweep: two of head and one a trial, at most `height` of at most `width`
    columns.

    Where there is no room for all, running and failed ones come first, and a last line counts the
    rest.
    """
    views = list(watch.views.values())
    if not views:
        return []
    room = height - 2
    if len(views) > room:
        order = {"failed": 1, "interrupted": 2, "stopped": 3, "waiting": 4, "done": 5}
        views = sorted(views, key=lambda v: order.get(v.state, 0))[: room - 1]
    bar = width >= 90
    widest = max(len(view.name) for view in views)
    name = max(8, min(widest, width - WIDTH_OF_FIGURES - (BAR + 1) * bar))
    columns = f"  {'':<{name}}  {'':<11} {'':<{(BAR + 1) * bar}}  round  reward  length  time"
    lines = [_head(watch)[:width], columns[:width]]
    for view in views:
        text = f"{SYMBOLS.get(view.state, '*')} {_fit(view.name, name)}  {view.state:<11} "
        text = (text + _columns(view, bar))[:width].rstrip()
        lines.append(paint(text, COLOURS.get(view.state, "1")) if colour else text)
    if hidden := len(watch.views) - len(views):
        lines.append(f"  ... and {hidden} more"[:width])
    return lines


def _head(watch: Watch) -> str:
    count = watch.count()
    told = [f"{count['done']}/{len(watch.views)} done"]
    words = ("running", "failed", "stopped", "interrupted")
    told += [f"{count[word]} {word}" for word in words if count[word]]
    left = watch.left_s() if count["running"] else None
    told.append(clock(time.monotonic() - watch.begun))
    return " · ".join([*told, *([f"about {clock(left)} left"] if left is not None else [])])


def _columns(view: View, bar: bool) -> str:
    """Bar, round, reward, length and time of a trial; empty before it starts."""
    if view.begun is None:
        return ""
    rounds, done = view.trial.rounds, view.reached
    drawn = f"{'#' * (BAR * done // max(1, rounds)):.<{BAR}} " if bar else ""
    numbers = f"{_number(view.reward, 2):>6}  {_number(view.length, 0):>6}"
    return f"{drawn}{f'{done}/{rounds}':>7}  {numbers}  {_time(view)}"


def _time(view: View) -> str:
    if view.ended is not None:
        return clock(view.seconds)
    return "" if view.left_s is None else f"{clock(view.left_s)} left"


def figures(view: View) -> str:
    """Round, reward, length and time left of a running trial, in a sentence."""
    told = [f"round {view.reached}/{view.trial.rounds}"]
    if view.reward is not None:
        told.append(f"reward {_number(view.reward, 2)}")
    if view.length is not None:
        told.append(f"length {_number(view.length, 0)}")
    return ", ".join([*told, *filter(None, [_time(view)])])


def ending(view: View) -> str:
    """How a trial ended, in words; for a failed one with the last line of its reason and where its
    log is."""
    ended = view.ended
    assert ended is not None
    if ended.state == "done":
        told = f"done in {clock(ended.seconds)}"
        return told if view.reward is None else f"{told}, reward {view.reward:.2f}"
    where = f"round {view.reached}/{view.trial.rounds}"
    if ended.state == "preempted":
        return f"interrupted {ended.message or f'at {where}'}"
    if ended.state == "stopped":
        return f"stopped at {where}: {first_line(ended.message, None)}"
    reason = first_line(ended.message, ended.failure_class)
    log = view.folder / "log.txt"
    where = f" (log: {log})" if log.exists() else ""  # a simulated trial has none
    return f"FAILED [{ended.failure_class}] {reason}{where}"


def first_line(message: str, failure_class: str | None) -> str:
    """The first line of a failure's reason, without its class, which is printed separately."""
    line = (message.strip().splitlines() or ["no reason given"])[0]
    return line.removesuffix(f" [{failure_class}]")[:300]


def clock(seconds: float | None) -> str:
    """A duration for people: `9s`, `4m05s`, `2h10m`; `-` where unknown."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def paint(text: str, code: str) -> str:
    """Text in a colour of the terminal."""
    return f"\x1b[{code}m{text}\x1b[0m"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _fit(text: str, width: int) -> str:
    """`text` in exactly `width` columns; the middle goes first, as names begin and end apart."""
    if len(text) <= width:
        return f"{text:<{width}}"
    end = (width - 2) // 2
    return f"{text[: width - 2 - end]}..{text[len(text) - end :]}"
