"""`zoo sweep --events FILE`: what happens as JSON lines; a target that takes none stops nothing."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import zoo
from tests.support.sweeps import rounds, start, wait_for

Event = dict[str, Any]


def events(folder: Path) -> list[Event]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def named(found: list[Event], name: str) -> list[Event]:
    return [one for one in found if one["event"] == name]


def test_events_of_a_sweep_have_every_trial_and_round_in_order(folder: Path) -> None:
    assert zoo("sweep", "tiny", "--bare", "--events", "events.jsonl").status == 0
    found = events(folder)
    status = json.loads(zoo("status", "tiny", "--json").text)
    assert (found[0]["event"], found[-1]["event"]) == ("sweep_started", "sweep_ended")
    assert found[0]["counts"] == status["counts"] | {"new": 4, "done": 0, "to_run": 4}
    assert (found[-1]["exit_code"], found[-1]["counts"]) == (0, status["counts"])
    for row in status["trials"]:
        own = [one for one in found if one.get("id") == row["id"]]
        assert [one["event"] for one in own] == ["trial_started", *["round"] * 4, "trial_ended"]
        begun, last, ended = own[0], own[-2], own[-1]
        assert {key: begun[key] for key in ("id", "name", "cell", "seed")} == {
            key: row[key] for key in ("id", "name", "cell", "seed")
        }
        assert [one["round"] for one in own[1:-1]] == [0, 1, 2, 3]
        assert last["rounds"] == 3
        assert last["reward"] is not None
        assert last["length"] > 0
        assert (ended["state"], ended["failure_class"]) == ("done", None)
    assert all(one["sweep"] == "tiny" for one in found)
    times = [datetime.fromisoformat(one["time"]) for one in found]
    assert all(time.utcoffset() is not None for time in times)
    clocks = [one["monotonic"] for one in found]
    assert clocks == sorted(clocks)
    assert os.uname().nodename not in {str(v) for one in found for v in one.values()}


def test_events_of_a_sweep_with_nothing_to_do_are_appended(swept: Path) -> None:
    path = swept / "events.jsonl"
    path.write_text('{"event": "torn"')
    assert zoo("sweep", "tiny", "--bare", "--events", "events.jsonl").status == 0
    lines = path.read_text().splitlines()
    assert lines[0] == '{"event": "torn"'
    assert [json.loads(line)["event"] for line in lines[1:]] == ["sweep_started", "sweep_ended"]


def test_events_name_failures_retries_and_what_is_held_back(folder: Path) -> None:
    words = ("--bare", "--executor", "local", "--concurrency", "1", "--events", "events.jsonl")
    faults = "kill:2@qwen2.correctness,config:1@llama.correctness"
    assert start(folder, *words, manifest="tiny", ZOO_SIMULATE=faults).wait(100) == 1
    found = events(folder)
    first, *_ = named(found, "trial_retried")
    assert (first["failure_class"], first["wait_s"] >= 0) == ("killed", True)
    failed = [one for one in named(found, "trial_ended") if one["failure_class"] == "config"]
    assert [one["state"] for one in failed] == ["failed"]
    (held,) = named(found, "trial_held")
    assert (held["failure_class"], held["because"]) == ("config", failed[0]["id"])
    started = [one["id"] for one in named(found, "trial_started")]
    assert started.count(first["id"]) > 1
    assert held["id"] not in started


def test_events_of_a_stopped_sweep_say_so(folder: Path) -> None:
    words = ("--bare", "--executor", "local", "--events", "events.jsonl")
    sweep = start(folder, *words, manifest="tiny", ZOO_SIMULATE="sleep:0.5")
    wait_for(lambda: any(rounds(folder)))
    sweep.send_signal(signal.SIGINT)
    assert sweep.wait(30) == 130
    found = events(folder)
    assert [one["times"] for one in named(found, "sweep_stopping")] == [1]
    assert found[-1]["exit_code"] == 130
    assert "preempted" in {one["state"] for one in named(found, "trial_ended")}


def test_events_on_a_full_target_are_noted_once_and_the_sweep_goes_on(folder: Path) -> None:
    told = zoo("sweep", "tiny", "--bare", "--events", "/dev/full")
    assert told.status == 0
    assert told.text.count("no more events are written to /dev/full (No space left on device)") == 1
    assert "= 4 done" in told.text


@pytest.mark.parametrize("kind", ["folder", "missing", "pipe"])
def test_events_to_what_cannot_be_opened_are_refused_before_anything_runs(
    folder: Path, kind: str
) -> None:
    target = folder / "target"
    if kind == "folder":
        target.mkdir()
    elif kind == "pipe":
        os.mkfifo(target)
    else:
        target = target / "file"
    told = zoo("sweep", "tiny", "--bare", "--events", str(target))
    assert told.status == 2
    assert told.error.startswith(f"--events: '{target}' cannot be opened (")
    assert not (folder / "runs/train").exists()


def test_events_of_jobs_on_slurm_are_refused(folder: Path) -> None:
    told = zoo("sweep", "tiny", "--executor", "slurm", "--events", "events.jsonl")
    assert (told.status, "--events: the jobs of a sweep on Slurm" in told.error) == (2, True)
    assert not (folder / "events.jsonl").exists()


def test_command_that_goes_on_keeps_events(folder: Path) -> None:
    zoo("sweep", "tiny", "--bare", "--events", "my events.jsonl")
    told = json.loads((folder / "runs/sweeps/tiny/driver.json").read_text())
    assert "--events 'my events.jsonl'" in told["command"]
