"""`zoo logs --follow`: rounds and log of a trial as they come, and when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.render.trial_log import TrialFollower
from zoo.store import journal


def row(launch: int, round_: int, at: float, **metrics: float) -> dict[str, object]:
    named = {f"train/{name}": value for name, value in metrics.items()}
    return {"attempt": launch, "lineage": 1, "round": round_, "time": at, "metrics": named}


def test_logs_follow_of_a_finished_trial_prints_its_rounds_and_ends(swept: Path) -> None:
    told = zoo("logs", "tiny", "llama.correctness", "--follow")
    assert told.status == 0
    assert told.lines[0].startswith("--- launch 1, ")
    assert [line.split()[1:3] for line in told.lines[1:5]] == [
        ["round", f"{n}/3"] for n in range(4)
    ]
    assert "accuracy " in told.lines[2]
    assert told.lines[-1] == "= pocket-llama.correctness.pocket-easy  3 rounds"


def test_logs_follow_divides_launches_and_gives_only_what_is_new(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    journal.append(metrics, row(1, 0, 1000.0))
    journal.append(metrics, row(1, 1, 1010.0, reward=0.25))
    follower = TrialFollower(tmp_path, 20)
    assert follower.lines()[2].endswith("  round  1/20  reward 0.250  10s")
    assert follower.lines() == []
    (tmp_path / "launch.json").write_text(json.dumps({"attempt": 2, "lineage": 1}))
    assert [line.split(",")[0] for line in follower.lines()] == ["--- launch 2"]
    journal.append(metrics, row(2, 2, 2000.0, reward=0.5))
    assert follower.lines()[0].endswith("  round  2/20  reward 0.500")
    journal.append(metrics, row(3, 2, 3000.0, reward=0.5))
    assert follower.lines()[0].endswith(", continues after round 1 ---")


def test_logs_follow_begins_with_the_last_lines_and_shows_no_control_characters(
    tmp_path: Path,
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("".join(f"line {n}\n" for n in range(30)) + "torn")
    follower = TrialFollower(tmp_path, 3, 2)
    assert follower.lines() == ["  | line 28", "  | line 29"]
    with log.open("a") as stream:
        stream.write(" \x1b[31mred\n50%\r100%\n")
    assert follower.lines() == ["  | torn  [31mred", "  | 50%", "  | 100%"]
    log.write_text("new\n")
    assert follower.lines() == ["  | new"]


def test_logs_follow_waits_for_a_trial_that_the_running_sweep_starts_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = os.environ | {"ZOO_SIMULATE": "sleep:0.2"}
    words = ["sweep", "tiny", "--bare", "--concurrency", "1", "--executor", "local"]
    with subprocess.Popen(
        [sys.executable, "-m", "zoo.cli.main", *words], env=env, stdout=subprocess.DEVNULL
    ) as sweep:
        driver = folder / "runs/sweeps/tiny/driver.json"
        while not driver.exists():
            assert sweep.poll() is None
            time.sleep(0.02)
        told = zoo("logs", "tiny", "qwen2.box", "-f")
        assert (told.status, told.lines[-1].split()[0]) == (0, "=")
        assert sum("round " in line for line in told.lines) == 4
        assert sweep.wait(60) == 0


def test_logs_follow_of_a_trial_that_nothing_runs_says_so(folder: Path) -> None:
    told = zoo("logs", "tiny", "llama.correctness", "-f")
    assert (told.status, told.lines) == (0, ["+ pocket-llama.correctness.pocket-easy  never ran"])
