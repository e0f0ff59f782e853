"""One invocation of a sweep: claim it, freeze the plan, run what is left, mirror, end.

The driver's main thread owns the schedule, signals and the display; executors and the mirror work
in their own threads. This module never trains, uses Ray or opens MLflow: executor, mirror and
report are passed in. What becomes of a trial that fails is decided in `zoo.orchestrate.sweep_work`.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from zoo.launching import processes
from zoo.orchestrate.driver_lock import driver_lock, freeze, write_lock
from zoo.orchestrate.event_log import EventLog
from zoo.orchestrate.invocation import Ran, Sweep
from zoo.orchestrate.mirroring import Mirror, Mirroring
from zoo.orchestrate.orphan_guard import OrphanGuard
from zoo.orchestrate.progress import Display
from zoo.orchestrate.stop_signals import Signals
from zoo.orchestrate.sweep_journal import SweepJournal
from zoo.orchestrate.sweep_work import SweepWork
from zoo.orchestrate.watch import Watch
from zoo.runs.sweep_status import SweepStatus, read_again
from zoo.scheduling.executor import Event, Executor, Stop
from zoo.trials.short_names import short_names

POLL_S = 0.1


def run(
    sweep: Sweep,
    status: SweepStatus,
    executor: Callable[[], Executor],
    display: Display,
    *,
    mirror: Callable[[], Mirror] | None = None,
    report: Callable[[], Path | None] = lambda: None,
    events: EventLog | None = None,
) -> Ran:
    """Run what is left of a sweep; its lock is written even where nothing is left.

    Args:
        status: of its trials before the claim (`read_status`); what is left is read again once
            the sweep is claimed.
        executor, mirror: created only when something runs.
        report: writes the report; called after the last trial and before the mirror closes.
        events: takes what happens, for other programs.

    Raises:
        StateError: another driver runs this sweep; a record or journal cannot be read.
    """
    events = events or EventLog()
    if not status.left:
        freeze(sweep)
        events.start(sweep.name, status)
        events.end(0, status)
        return Ran(0, status)
    with Signals() as signals, driver_lock(sweep), OrphanGuard() as guard:
        for trial in sweep.trials:
            processes.reap(sweep.store.train(trial.id))
        status = _read_again(status, sweep)
        write_lock(sweep)
        mirroring = Mirroring(mirror, display, sweep.name) if mirror else None
        verdict, written = False, None
        events.start(sweep.name, status, display.say)
        try:
            _execute(sweep, status, executor(), display, signals, guard, events)
            status = _read_again(status, sweep)
            verdict = _verdict(status, signals)
            written = report()
        finally:
            if mirroring:
                mirroring.close(verdict, written, signals)
            code = 128 + (signals.number or 0) if verdict is None else int(not verdict)
            events.end(code, status)
        return Ran(code, status)


def _read_again(status: SweepStatus, sweep: Sweep) -> SweepStatus:
    return read_again(status, sweep.store, retrain=sweep.retrain, extend=sweep.extend)


def _verdict(status: SweepStatus, signals: Signals) -> bool | None:
    """True = all done, False = not all, None = a signal stopped it before."""
    if not status.left:
        return True
    return None if signals.number else False


def _execute(
    sweep: Sweep,
    status: SweepStatus,
    executor: Executor,
    display: Display,
    signals: Signals,
    guard: OrphanGuard,
    events: EventLog,
) -> None:
    """Start what is left as slots come free; take events, redraw and obey signals."""
    durable = not all(one.trial.simulated for one in status.left)
    journal = SweepJournal(sweep.store.sweep(sweep.name), durable=durable, profile=sweep.profile)
    if journal.set_aside:
        display.say(f"note: the sweep's journal was damaged; it is now {journal.set_aside.name}")
    if sweep.look is not None:
        journal.bought(sweep.look.look, sweep.look.claims, sweep.look.cells)
    watch = Watch(
        [one.trial for one in status.left],
        sweep.store,
        sweep.profile.concurrency,
        names=short_names(sweep.planned or sweep.trials),
        resumes={one.trial.id: one.saved.round for one in status.left if one.saved},
    )
    journal.listener = events.row
    events.follow(watch)
    arriving: queue.SimpleQueue[Event] = queue.SimpleQueue()
    stop = Stop()
    executor.open(arriving.put, stop)
    display.start(watch)
    work = SweepWork(sweep, status, executor, stop, journal, display, watch)
    try:
        while not work.over:
            work.start()
            signals.rearm()
            if signals.pass_on(stop, display, watch, sweep.profile):
                journal.stopping(signals.times)
            executor.check()
            work.check()
            guard.keep()
            for event in _arrived(arriving):
                if event.ended is None:
                    events.began(event.id)
                work.take(event)
            events.rounds()
            display.tick()
    finally:
        display.close()
        stop.set(0.0)  # where the loop broke, what still runs ends at once
        executor.close()
        processes.kill_launch(*work.tokens)
    journal.over()


def _arrived(events: queue.SimpleQueue[Event]) -> Iterator[Event]:
    """The events that are there; waits a moment for the first."""
    with suppress(queue.Empty):
        yield events.get(timeout=POLL_S)
        while True:
            yield events.get_nowait()
