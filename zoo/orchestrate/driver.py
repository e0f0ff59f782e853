"""One invocation of a sweep: claim it, freeze the plan, run what is left, mirror, end.

The driver's main thread owns the schedule, signals and the display; executors and the mirror work
in their own threads. This module never trains, uses Ray or opens MLflow: executor, mirror and
report are passed in. A trial that failed in an earlier invocation is retried once; never twice in
one invocation.
"""

from __future__ import annotations

import os
import queue
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.launching import processes
from zoo.launching.task import Task
from zoo.lock import lock
from zoo.manifest.load import Manifest
from zoo.orchestrate.executor import ROUND_END, Event, Executor, Stop
from zoo.orchestrate.progress import Display, clock
from zoo.orchestrate.task_queue import TaskQueue
from zoo.orchestrate.watch import Watch
from zoo.runs.sweep_status import SweepStatus, read_again
from zoo.store.run_store import Store, claim, claimed, read_json, write_json, write_text
from zoo.trials.short_names import short_names
from zoo.trials.trial import Trial

POLL_S = 0.1
SYNC_S = 3.0
MIRROR_PATIENCE_S = 60.0
UNHARMED = "the run folders are not affected"


class Mirror(Protocol):
    """The interface of the MLflow mirror. No method raises."""

    problem: str | None

    def begin(self) -> bool:
        """Prepare the pages of the sweep; False where that failed, as below."""
        ...

    def sync(self) -> bool:
        """Send what is new in the journals."""
        ...

    def finish(self, sweep_ok: bool | None, report: Path | None = None) -> bool:
        """Send the rest and the final statuses; `sweep_ok` is None where it was interrupted."""
        ...


@dataclass(frozen=True)
class Sweep:
    """What one invocation works on."""

    manifest: Manifest
    trials: list[Trial]
    """What this invocation may run."""
    store: Store
    folder: Path
    """The sweep's folder in the lab notebook: `sweeps/NAME`."""
    profile: ComputeProfile
    planned: tuple[Trial, ...] = ()
    """All trials of the plan, for the lock; () = the same."""
    sets: tuple[str, ...] = ()
    """`--set` of the command line, as it was typed."""
    cards: tuple[str, ...] = ()
    """Folders of cards that it named."""
    rewards: tuple[str, ...] = ()
    """Files of rewards that it named."""
    retrain: bool = False
    """Also train again what only training again would change."""
    extend: bool = False
    """Also continue what finished with fewer rounds."""
    across_stacks: bool = False
    """Continue also what another stack or geometry began."""
    longest_prompts: Mapping[str, int] = field(default_factory=dict)
    """Trial id -> tokens of its longest prompt, where counted."""

    @property
    def name(self) -> str:
        """The manifest's name."""
        return self.manifest.experiment.name


@dataclass(frozen=True, slots=True)
class Ran:
    """What one invocation came to."""

    exit_code: int
    """0 = all trials are done, 1 = some are not, 130 or 143 = stopped by a signal."""
    status: SweepStatus
    """The current state of its trials."""


def run(
    sweep: Sweep,
    status: SweepStatus,
    executor: Callable[[], Executor],
    display: Display,
    *,
    mirror: Callable[[], Mirror] | None = None,
    report: Callable[[], Path | None] = lambda: None,
) -> Ran:
    """Run what is left of a sweep; its lock is written even where nothing is left.

    Args:
        status: of its trials before the claim (`read_status`); what is left is read again once
            the sweep is claimed.
        executor, mirror: created only when something runs.
        report: writes the report; called after the last trial and before the mirror closes.

    Raises:
        StateError: another driver runs this sweep; a record or journal cannot be read.
    """
    if not status.left:
        freeze(sweep)
        return Ran(0, status)
    with _driver_lock(sweep), Signals() as signals:
        for trial in sweep.trials:
            processes.reap(sweep.store.train(trial.id))
        status = _read_again(status, sweep)
        _freeze(sweep)
        mirroring = _Mirroring(mirror, display, sweep.name) if mirror else None
        verdict, written = False, None
        try:
            _execute(sweep, status, executor(), display, signals)
            status = _read_again(status, sweep)
            verdict = _verdict(status, signals)
            written = report()
        finally:
            if mirroring:
                mirroring.close(verdict, written, signals)
        return Ran(128 + (signals.number or 0) if verdict is None else int(not verdict), status)


def _read_again(status: SweepStatus, sweep: Sweep) -> SweepStatus:
    return read_again(status, sweep.store, retrain=sweep.retrain, extend=sweep.extend)


def _verdict(status: SweepStatus, signals: Signals) -> bool | None:
    """True = all done, False = not all, None = a signal stopped it before."""
    if not status.left:
        return True
    return None if signals.number else False


def _execute(
    sweep: Sweep, status: SweepStatus, executor: Executor, display: Display, signals: Signals
) -> None:
    """Start the remaining trials as slots become free; handle events, redraw and obey signals."""
    profile, root = sweep.profile, str(sweep.store.root)
    prompts = sweep.longest_prompts
    tasks = [
        Task(
            one.trial,
            profile,
            root,
            secrets.token_hex(8),
            retrain=one.state == "retrain",
            extend=one.state == "extend",
            longest_prompt=prompts.get(one.trial.id),
            across_stacks=sweep.across_stacks,
        )
        for one in status.left
    ]
    names = short_names(sweep.planned or sweep.trials)
    watch = Watch(
        [task.trial for task in tasks],
        sweep.store,
        profile.concurrency,
        names=names,
        resumes={one.trial.id: one.saved.round for one in status.left if one.saved},
    )
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    stop = Stop()
    executor.open(events.put, stop)
    display.start(watch)
    schedule = TaskQueue(tasks, executor, stop)
    try:
        while not schedule.over:
            schedule.fill()
            signals.rearm()
            signals.pass_on(stop, display, watch, profile)
            executor.check()
            for event in _arrived(events):
                schedule.take(event)
                _show(event, watch, display)
            display.tick()
    finally:
        display.close()
        stop.set(0.0)  # where the loop broke, what still runs ends at once
        executor.close()
        processes.kill_launch(*(task.token for task in tasks))


def _arrived(events: queue.SimpleQueue[Event]) -> Iterator[Event]:
    """The events that are there; waits a moment for the first."""
    with suppress(queue.Empty):
        yield events.get(timeout=POLL_S)
        while True:
            yield events.get_nowait()


def _show(event: Event, watch: Watch, display: Display) -> None:
    view = watch.views[event.id]
    if event.ended is None:
        view.begin()
    else:
        view.finish(event.ended)
    display.event(event)


class Signals:
    """Ctrl-C and SIGTERM as a stop request. The first Ctrl-C lets trials end their rounds, the
    first SIGTERM gives them the profile's grace; the next one of either ends them at once."""

    HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self.number: int | None = None
        """The first signal that came."""
        self.times = self._told = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._take) for n in self.HANDLED}
        return self

    def rearm(self) -> None:
        """Install the signal handlers again: Ray's native library installs a handler of its own
        that dies."""
        for number in self._before:
            signal.signal(number, self._take)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: object) -> None:
        self.number = self.number or number
        self.times += 1

    def pass_on(self, stop: Stop, display: Display, watch: Watch, profile: ComputeProfile) -> None:
        """Pass the stop request to the executor and print it, with how long it takes."""
        if self.times == self._told:
            return
        self._told = self.times
        if self.times > 1:
            stop.set(0.0)
        elif self.number == signal.SIGINT:
            stop.set(ROUND_END)
            left = watch.round_left_s()
            takes = "" if left is None else f", in about {clock(left)}"
            display.say(
                f"stopping: trials end their rounds and save them{takes} (again = at once, and "
                "rounds since the last save are lost)"
            )
        else:
            stop.set(profile.grace_s)
            display.say(
                f"stopping: trials have {profile.grace_s:g} s to end their rounds and save them"
            )


class _Mirroring:
    """The thread that feeds the mirror. Whatever the mirror does, the sweep does not notice."""

    def __init__(self, make: Callable[[], Mirror], display: Display, name: str) -> None:
        self.make, self.display, self.name = make, display, name
        self.ending = threading.Event()
        self.verdict: tuple[bool | None, Path | None] = (None, None)
        self.thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self.thread.start()

    def close(self, sweep_ok: bool | None, report: Path | None, signals: Signals) -> None:
        """Send the rest and set final statuses; gives up after a while, or at another signal."""
        self.verdict = (sweep_ok, report)
        self.ending.set()
        end, times = time.monotonic() + MIRROR_PATIENCE_S, signals.times
        while self.thread.is_alive() and time.monotonic() < end and signals.times == times:
            self.thread.join(0.1)
        if self.thread.is_alive():
            self._tell(f"MLflow takes too long; `zoo sync {self.name}` sends the rest")

    def _work(self) -> None:
        try:
            mirror = self.make()
            mirror.begin()
            while not self.ending.wait(SYNC_S):
                mirror.sync()
            mirror.finish(*self.verdict)
            if mirror.problem:
                again = f"`zoo sync {self.name}` sends what is missing"
                self._tell(f"MLflow lags behind ({mirror.problem}); {UNHARMED}, and {again}")
        except Exception as error:
            self._tell(f"no MLflow mirror ({type(error).__name__}: {error}); {UNHARMED}")

    def _tell(self, text: str) -> None:
        self.display.say(f"note: {text}")


def holder(store: Store, name: str) -> dict[str, Any] | None:
    """Who runs a sweep right now (pid, host, since), or None; writes and locks nothing."""
    folder = store.sweep(name)
    return read_json(folder / "driver.json") if claimed(folder) else None


@contextmanager
def _driver_lock(sweep: Sweep) -> Iterator[None]:
    """Claim the sweep: one driver a name and run store."""
    folder = sweep.store.sweep(sweep.name)
    who = folder / "driver.json"
    with ExitStack() as stack:
        if not stack.enter_context(claim(folder, wait=False)):
            told = read_json(who) or {}
            raise StateError(
                f"sweep '{sweep.name}' is being run by process {told.get('pid', '?')} on "
                f"{told.get('host', '?')} since {told.get('since', '?')}; wait for it, or stop it "
                f"first (`zoo status {sweep.name}` shows where it is)"
            )
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        write_json(
            who,
            {
                "pid": os.getpid(),
                "host": os.uname().nodename,
                "since": since,
                "manifest": str(sweep.manifest.path),
                "profile": sweep.profile.name,
                "sets": sweep.sets,
                "cards": [str(Path(folder).resolve()) for folder in sweep.cards],
                "rewards": [str(Path(file).resolve()) for file in sweep.rewards],
            },
        )
        yield


def freeze(sweep: Sweep) -> None:
    """Write the lock of a sweep that has nothing to run.

    Raises:
        StateError: another driver runs this sweep.
    """
    with _driver_lock(sweep):
        _freeze(sweep)


def _freeze(sweep: Sweep) -> None:
    """Write the plan that runs, and seal its claims. Only `zoo sweep` does this."""
    before, ran = lock.read(sweep.folder), Store(sweep.store.root).ran
    said = sweep.manifest.experiment
    text = lock.text(sweep.planned or sweep.trials, said.claims, before, ran, said.looks)
    write_text(sweep.folder / lock.NAME, text)
    copy = sweep.store.sweep(sweep.name) / sweep.manifest.path.name
    write_text(copy, sweep.manifest.path.read_text(encoding="utf-8"))
