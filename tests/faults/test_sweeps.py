"""Sweeps that are killed, stopped and started twice: nothing is left running, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.support import sweeps
from tests.support.simulated import write_manifest

LOCAL = ("--executor", "local", "--concurrency", "2", "--bare", "--save-every", "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_manifest(tmp_path, rounds=4)
    return tmp_path


def records(folder: Path) -> dict[str, dict]:
    """Trial id -> its record."""
    paths = (folder / "runs/train").glob("*/record.json")
    return {path.parent.name: json.loads(path.read_text()) for path in paths}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_sweep_leaves_no_process_and_the_next_one_finishes_it(
    folder: Path, number: signal.Signals, status: int
) -> None:
    how = "sleep:1.5" if number == signal.SIGINT else "hang:3"  # Ctrl-C waits for a round's end
    sweep = sweeps.start(folder, *LOCAL, ZOO_SIMULATE=f"{how}@pocket-llama")
    sweeps.wait_for(
        lambda: (
            len(records(folder)) == 2
            and len(sweeps.rounds(folder)) == 4
            and sorted(sweeps.rounds(folder))[:2] in ([2, 3], [3, 3])
        )
    )
    if number == signal.SIGTERM:
        sweeps.wait_for(lambda: sorted(sweeps.rounds(folder))[:2] == [3, 3])
    sweep.send_signal(number)
    assert sweep.wait(timeout=60) == status
    assert sweeps.left_running(folder, 0.5) == []
    states = sorted(record["state"] for record in records(folder).values())
    assert states == ["done", "done", "preempted", "preempted"]
    reached = [r["round"] for r in records(folder).values() if r["state"] == "preempted"]
    told = sweeps.finish(folder, *LOCAL)
    for round_ in reached:  # nothing that was recorded is trained again
        assert told.count(f"started, continues after round {round_}") == reached.count(round_)
    assert {record["attempt"] for record in records(folder).values()} == {1, 2}
    assert {record["lineage"] for record in records(folder).values()} == {1}


def test_a_second_ctrl_c_does_not_wait_for_a_trial_that_does_not_listen(folder: Path) -> None:
    sweep = sweeps.start(folder, *LOCAL, ZOO_SIMULATE="deaf:2")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(folder)) == [2, 2])
    sweep.send_signal(signal.SIGINT)
    sweeps.wait_for(lambda: "stopping" in (folder / "out.txt").read_text())
    sweep.send_signal(signal.SIGINT)
    assert sweep.wait(timeout=30) == 130
    assert sweeps.left_running(folder, 0.5) == []


def test_a_trial_that_is_killed_goes_on_in_the_same_sweep(folder: Path) -> None:
    sweep = sweeps.start(folder, *LOCAL, ZOO_SIMULATE="sleep:1@pocket-llama.correctness")
    saved = "pocket-llama.correctness*/state/round-0002"
    trains = folder / "runs/train"
    sweeps.wait_for(lambda: len(records(folder)) == 3 and any(trains.glob(saved)))
    (note,) = trains.glob("pocket-llama.correctness*/launches/*/process.json")
    os.kill(json.loads(note.read_text())["pid"], signal.SIGKILL)
    assert sweep.wait(timeout=60) == 0
    told = (folder / "out.txt").read_text()
    assert "FAILED [killed] ended by SIGKILL" in told
    assert "; tried again in 0s (1 of 3)" in told
    assert "started, continues after round 2" in told
    attempts = sorted(record["attempt"] for record in records(folder).values())
    assert attempts == [1, 1, 1, 2]


def test_trials_end_with_a_driver_that_is_killed(folder: Path) -> None:
    sweep = sweeps.start(folder, *LOCAL, ZOO_SIMULATE="deaf:2")
    sweeps.wait_for(lambda: sorted(sweeps.rounds(folder)) == [2, 2])
    sweep.kill()
    sweep.wait()
    assert sweeps.left_running(folder) == []
    told = sweeps.finish(folder, *LOCAL)
    assert told.count("started") == 4


def test_a_second_driver_is_refused_while_the_first_goes_on(folder: Path) -> None:
    first = sweeps.start(folder, *LOCAL, ZOO_SIMULATE="sleep:0.5")
    sweeps.wait_for(lambda: (folder / "runs/sweeps/tiny/driver.json").exists())
    (folder / "out.txt").rename(folder / "first.txt")
    second = sweeps.start(folder, *LOCAL)
    assert second.wait(timeout=60) == 1
    assert f"is being run by process {first.pid} on" in (folder / "out.txt").read_text()
    assert first.wait(timeout=60) == 0


def test_two_sweeps_that_share_trials_run_each_once(folder: Path) -> None:
    text = (folder / "tiny.yaml").read_text()
    (folder / "other.yaml").write_text(text.replace("name: tiny", "name: other"))
    first = sweeps.start(folder, *LOCAL, ZOO_SIMULATE="sleep:0.2")
    second = sweeps.start(folder, *LOCAL, manifest="other.yaml", ZOO_SIMULATE="sleep:0.2")
    assert first.wait(timeout=120) == 0
    assert second.wait(timeout=120) == 0
    assert {record["attempt"] for record in records(folder).values()} == {1}
    assert len(records(folder)) == 4
