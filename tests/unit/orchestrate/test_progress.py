from __future__ import annotations

import io
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.launching.launch import LaunchResult
from zoo.launching.processes import ProcessStamp
from zoo.launching.task import write_task
from zoo.orchestrate.progress import Lines, LiveDisplay, clock, display, ending, picture
from zoo.orchestrate.watch import Watch
from zoo.scheduling.executor import Event
from zoo.store import journal
from zoo.store.run_store import write_json
from zoo.train.entry import run


def half_way(tmp_path: Path, **settings) -> tuple[simulated.Sweep, Watch]:
    """Four trials: one done, one at round 2 of 3, one failed, one waiting."""
    made = simulated.make(tmp_path, **settings)
    watch = Watch(made.trials, made.store, 2)
    views = list(watch.views.values())
    for task, view in zip(made.tasks()[:2], views, strict=False):
        write_task(task)
        view.begin()
        for round_ in range(3):
            metrics = {"train/reward": 0.25 * round_, "train/completions/mean_length": 31.4}
            row = {"attempt": 1, "round": round_, "time": 100.0 + 2 * round_, "metrics": metrics}
            journal.append(task.folder / "metrics.jsonl", row)
        view.update()
        (task.folder / "phase").write_text("training")
    views[0].finish(LaunchResult("done", seconds=65.0))
    views[2].begin()
    views[2].finish(LaunchResult("failed", "oom", "out of memory\nmore", 3.0))
    return made, watch


def test_each_trial_has_one_line_with_state_round_reward_length_and_time_left(
    tmp_path: Path,
) -> None:
    _, watch = half_way(tmp_path)
    head, columns, done, running, failed, waiting = picture(watch, 119, 30)
    assert head.startswith("1/4 done · 1 running · 1 failed")
    assert columns.split() == ["round", "reward", "length", "time"]
    assert re.fullmatch(r"= pocket-qwen2.*done .* 2/3 +0.50 +31 +1m05s", done)
    assert re.fullmatch(r"\* pocket-qwen2.*training .* 2/3 +0.50 +31 +2s left", running)
    assert re.match(r"! pocket-llama.*failed", failed)
    assert re.fullmatch(r"  pocket-llama.*waiting", waiting)


@pytest.mark.parametrize("width", [60, 79, 119])
def test_no_line_is_wider_than_the_terminal(tmp_path: Path, width: int) -> None:
    _, watch = half_way(tmp_path)
    lines = picture(watch, width, 30)
    assert max(map(len, lines)) <= width
    assert lines[3].endswith("2s left")


def test_more_trials_than_lines_shows_running_and_failed_ones_and_counts_the_rest(
    tmp_path: Path,
) -> None:
    _, watch = half_way(tmp_path, seeds="0, 1, 2, 3, 4")
    lines = picture(watch, 100, 7)
    assert len(lines) == 7
    assert lines[2].startswith("*")
    assert lines[3].startswith("!")
    assert lines[-1] == "  ... and 16 more"


def test_without_a_terminal_events_are_lines_without_control_codes(tmp_path: Path) -> None:
    made, watch = half_way(tmp_path)
    out = io.StringIO()
    lines = Lines(out)
    lines.start(watch)
    ended = LaunchResult("failed", "oom", "out of memory\nmore", 3.0)
    log = made.store.train(made.trials[2].id) / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    lines.event(Event(made.trials[2].id, ended))
    text = out.getvalue()
    assert "\x1b" not in text
    assert text.count("\n") == 1
    assert "FAILED [oom] out of memory (log: " in text


def test_a_terminal_is_redrawn_in_place(tmp_path: Path) -> None:
    _, watch = half_way(tmp_path)
    out = io.StringIO()
    live = LiveDisplay(out)
    live.start(watch)
    live.close()
    assert out.getvalue().count("\x1b[6F") == 1
    live.say("afterwards")
    assert out.getvalue().endswith("afterwards\n\x1b[J")


def test_lines_are_chosen_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(display(io.StringIO()), Lines)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "-"), (9.4, "9s"), (245, "4m05s"), (7800, "2h10m")]
)
def test_durations_read_as_people_say_them(seconds: float | None, text: str) -> None:
    assert clock(seconds) == text


def test_an_earlier_attempt_is_not_shown_as_this_one(tmp_path: Path) -> None:
    made, _ = half_way(tmp_path)
    again = Watch(made.trials, made.store, 2).views[made.trials[1].id]
    again.begin()
    again.update()
    assert again.round == -1


@pytest.mark.parametrize(
    ("message", "said"),
    [("", "interrupted at round 0/3"), ("training again", "interrupted training again")],
)
def test_an_interrupted_launch_says_what_it_was_doing(
    tmp_path: Path, message: str, said: str
) -> None:
    made = simulated.make(tmp_path, models="pocket-llama", rewards="correctness")
    (view,) = Watch(made.trials, made.store, 1).views.values()
    view.finish(LaunchResult("preempted", "interrupted", message))
    assert ending(view) == said


@pytest.mark.parametrize(("token", "round_"), [("here", 1), ("before", -1)])
def test_a_running_launch_shows_its_own_rounds_and_not_those_of_the_policy_before(
    tmp_path: Path, token: str, round_: int
) -> None:
    made = simulated.make(tmp_path, models="pocket-llama", rewards="correctness")
    (task,) = made.tasks()
    assert run(write_task(task)) == 0
    for at in (0, 1):
        row = {"attempt": 2, "lineage": 2, "round": at, "time": 1.0, "metrics": {}}
        journal.append(task.folder / "metrics.jsonl", row)
    write_json(task.folder / "launch.json", {"token": token, "attempt": 2, "lineage": 2})
    folder = task.folder / "launches" / "here"
    ProcessStamp.of("here", os.getpid()).write(folder)
    (view,) = Watch(made.trials, made.store, 1, running=True).views.values()
    assert view.round == round_
    shutil.rmtree(folder)
    (view,) = Watch(made.trials, made.store, 1, running=True).views.values()
    assert view.round == 3


def test_trial_that_continues_shows_the_round_after_which_it_does(tmp_path: Path) -> None:
    made = simulated.make(tmp_path, models="pocket-llama", rewards="correctness")
    (trial,) = made.trials
    watch = Watch(made.trials, made.store, 1, resumes={trial.id: 2})
    (view,) = watch.views.values()
    assert view.reached == 2
    out = io.StringIO()
    lines = Lines(out)
    lines.start(watch)
    view.begin()
    lines.event(Event(trial.id))
    assert "started, continues after round 2" in out.getvalue()
    (*_, line) = picture(watch, 119, 30)
    assert re.search(r" 2/3 ", line)
