"""The work of one invocation: tasks in their order, each begun, ended, tried again or held back.

Joins the queue of tasks, the journal of the sweep, the budgets of failure classes and what is
shown. Used by the driver's main thread alone.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace

from zoo.errors import FailureClass, StateError, listed
from zoo.launching import processes
from zoo.launching.launch import LaunchResult
from zoo.launching.task import Task
from zoo.orchestrate import budget_guard
from zoo.orchestrate.budget_guard import BudgetGuard
from zoo.orchestrate.disk_pause import DiskPause
from zoo.orchestrate.invocation import Sweep
from zoo.orchestrate.progress import Display, clock, ending, first_line
from zoo.orchestrate.retries import POLICIES, SharedCauses, retry_wait
from zoo.orchestrate.sweep_journal import SweepJournal
from zoo.orchestrate.watch import Watch
from zoo.runs.sweep_status import SweepStatus, TrialStatus, trial_status
from zoo.scheduling.executor import ROUND_END, Event, Executor, Stop
from zoo.scheduling.order import UNKNOWN, in_order
from zoo.scheduling.task_queue import TaskQueue
from zoo.store import record


class SweepWork:
    """What is left of a sweep while it runs."""

    def __init__(
        self,
        sweep: Sweep,
        status: SweepStatus,
        executor: Executor,
        stop: Stop,
        journal: SweepJournal,
        display: Display,
        watch: Watch,
    ) -> None:
        self.sweep, self.journal, self.display, self.watch = sweep, journal, display, watch
        self.tokens: list[str] = []
        """Of everything that was started."""
        self._budget = BudgetGuard(sweep, journal.spending, journal.now)
        may = self._budget.allows
        self._queue = TaskQueue(tasks_of(sweep, status), executor, stop, may=may)
        self._cut: dict[str, str] = {}
        """Token -> why the budget ended its launch."""
        self._suspected: dict[str, str] = {}
        """Token -> why a launch was ended that was likely to fail as another did."""
        self._causes = SharedCauses(one.trial for one in status.trials if not one.trains)
        self._disk = DiskPause(sweep.store.root)
        self._lost, self._idle_since = False, time.monotonic()

    @property
    def over(self) -> bool:
        """Whether nothing runs and nothing more will start."""
        return self._queue.over

    def start(self) -> None:
        """Start tasks while there is a free slot."""
        if self._disk.over():
            self._queue.paused = self._lost = False
            self.journal.resumed()
            self.display.say("there is room on the disk again: trials start")
        for task in iter(self._queue.start_next, None):
            self.tokens.append(task.token)
            self.journal.launched(task)
            self._budget.moved()
        self._warn()
        if self._queue.blocked:
            self._leave()
        if self.journal.problem is not None and not self._lost:
            self._lost = True
            self.display.say(f"note: the sweep's journal is not written ({self.journal.problem})")

    def _warn(self) -> None:
        """Say where the forecast of the rest crosses the budget for the first time."""
        waiting = (task.trial.id for task in self._queue.waiting)
        if told := self._budget.warning(waiting):
            self.display.say(told)

    def _leave(self) -> None:
        """Leave what the budget allows no more."""
        left = self._queue.withdraw(lambda trial: True)
        for task in left:
            level = self._budget.obstacle(task.trial.id)
            self.journal.budget(task.trial.id, str(level), cut=False)
        level = self._budget.obstacle(left[0].trial.id)
        names = listed(self.watch.views[task.trial.id].name for task in left)
        self.display.say(f"held back by the budget ({level}): {names}")

    def _obey_budget(self) -> None:
        """End what runs at the end of its round, where a limit is reached."""
        running = {t.token: (t, h) for t, h in self._queue.running.values()}
        if not running.keys() - self._cut.keys() or (level := self._budget.reached()) is None:
            return
        for token in running.keys() - self._cut.keys():
            task, handle = running[token]
            self._cut[token] = str(level)
            handle.stop.set(ROUND_END)
            self.journal.budget(task.trial.id, str(level), cut=True)
        self.display.say(f"the budget is used up ({level}): trials end their rounds and save them")

    def check(self) -> None:
        """End what the budget allows no more.

        Raises:
            StateError: the executor was handed tasks and begins none for `silence_s` of the
                profile, while nothing runs.
        """
        self._obey_budget()
        silence_s, waiting = self.sweep.profile.silence_s, self._queue.running
        begun = any(self.watch.views[id_].begun is not None for id_ in waiting)
        if begun or not waiting:
            self._idle_since = time.monotonic()
        elif silence_s and time.monotonic() - self._idle_since > silence_s:
            raise StateError(
                f"nothing began within {silence_s:g} s of {len(waiting)} trials that were started; "
                "they were ended. Run the sweep again: it goes on; `zoo doctor` reports what is "
                "missing, `--executor local` goes without Ray"
            )

    def take(self, event: Event) -> None:
        """Take note that a task began or ended, and decide what follows."""
        task, view = self._queue.take(event), self.watch.views[event.id]
        if task is None or event.ended is None:
            view.begin()
            self.display.event(event)
            return
        ended = event.ended
        if ended.state not in record.OUTCOMES:  # a supervisor that died has ended nothing
            processes.kill_launch(task.token)
        self.journal.ended(task, ended)
        self._budget.ended()
        if ended.failure_class == FailureClass.DISK:
            self._pause(task, ended)
        if task.token in self._cut and ended.state == "preempted":
            ended = self._cut_short(task, ended)
        elif task.token in self._suspected and ended.state == "preempted":
            ended = replace(ended, message=self._suspected[task.token])
        elif self._again(task, ended):
            return
        view.finish(ended)
        self.display.event(replace(event, ended=ended))
        if ended.state in record.OUTCOMES:
            self._causes.proven(task.trial)
        else:
            self._hold(task, ended)

    def _cut_short(self, task: Task, ended: LaunchResult) -> LaunchResult:
        """Note in its record that the budget ended a trial; returns how it ended, in words."""
        said = self._cut[task.token]
        budget_guard.mark(task, said)
        told = f"by the budget ({said}); goes on from its checkpoint once that is raised"
        return replace(ended, message=told)

    def _pause(self, task: Task, ended: LaunchResult) -> None:
        """Start nothing until there is room for what this trial could not write."""
        told = self._disk.begin(task.trial)
        self._queue.paused = True
        if told:
            self.journal.paused(task.trial.id, self._disk.needs)
            self.display.say(f"{first_line(ended.message, ended.failure_class)}\n{told}")

    def _again(self, task: Task, ended: LaunchResult) -> bool:
        """Whether the task is tried again in this invocation."""
        id_, kind = task.trial.id, ended.failure_class
        wait_s = retry_wait(id_, ended, self.journal)
        if wait_s is None or kind is None or not self._queue.starts:
            return False
        wait_s = 0.0 if task.trial.simulated else wait_s  # it takes no machine that has to recover
        sweep, view = self.sweep, self.watch.views[id_]
        now = trial_status(task.trial, sweep.store, retrain=sweep.retrain, extend=sweep.extend)
        if not now.runs:
            return False
        view.finish(ended)
        most = POLICIES[kind].retries
        number = self.journal.retries(id_, kind) + 1
        of = "" if most is None else f" ({number} of {most})"
        when = "once there is room" if kind == FailureClass.DISK else f"in {clock(wait_s)}{of}"
        said = f"{view.name}  {ending(view)}; tried again {when}"
        self.display.say(said)
        view.again(now.saved.round if now.saved else 0)
        self.journal.retried(id_, kind, wait_s)
        self._queue.again(task_of(sweep, now), wait_s)
        return True

    def _hold(self, task: Task, ended: LaunchResult) -> None:
        """Hold back waiting tasks that would fail as this one did, and end those beside it that
        have no round yet."""
        suspects = self._causes.suspects(task.trial, ended.failure_class)
        views, like = self.watch.views, self.watch.views[task.trial.id].name
        held = self._queue.withdraw(suspects)
        for other, handle in self._queue.running.values():
            new = other.token not in self._suspected
            if new and suspects(other.trial) and views[other.trial.id].reached < 1:
                self._suspected[other.token] = f"as it was likely to fail like {like}"
                handle.stop.set(self.sweep.profile.grace_s)
                held.append(other)
        if not held:
            return
        for other in held:
            self.journal.held(other.trial.id, task.trial.id, ended.failure_class or "")
        names = listed(views[other.trial.id].name for other in held)
        self.display.say(
            f"held back, as they are likely to fail like {like} "
            f"[{ended.failure_class}]: {names}; the next sweep tries them"
        )


def tasks_of(sweep: Sweep, status: SweepStatus) -> list[Task]:
    """A launch of each trial that is left, in the order in which they start."""
    left = {one.trial.id: one for one in status.left}
    extents = dict.fromkeys(left, UNKNOWN) | {**sweep.extents}
    trials = in_order([one.trial for one in status.left], sweep.order, extents, sweep.profile)
    return [task_of(sweep, left[trial.id]) for trial in trials]


def task_of(sweep: Sweep, one: TrialStatus) -> Task:
    """A launch of a trial, with a token of its own."""
    task = Task(one.trial, sweep.profile, str(sweep.store.root), secrets.token_hex(8))
    return replace(
        task,
        retrain=one.state == "retrain",
        extend=one.state == "extend",
        longest_prompt=sweep.longest_prompts.get(one.trial.id),
        across_stacks=sweep.across_stacks,
    )
