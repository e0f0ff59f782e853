"""`zoo status` of a sweep with failed trials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import zoo
from zoo.cli import status
from zoo.orchestrate.sweep_journal import SweepJournal

ONE = ("--set", "grid.model=[pocket-llama]", "--only", "reward=correctness")


def test_status_of_a_failed_trial_shows_class_log_and_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2")
    command = ("sweep", "tiny", *ONE, "--executor", "local", "--bare")
    assert zoo(*command).status == 1
    monkeypatch.delenv("ZOO_SIMULATE")
    told = zoo("status", "tiny")
    assert "! pocket-llama.correctness.pocket-easy [error]: round 2: failed, as set in" in told.text
    quoted = [line for line in told.lines if line.startswith("  | ")]
    assert len(quoted) == 3
    assert "TrialError" in quoted[-1]
    go_on = told.lines[-1].split("`")[1]
    assert go_on == (
        "zoo sweep experiments/tiny.yaml --set 'grid.model=[pocket-llama]' "
        "--only reward=correctness --executor local --bare"
    )
    assert zoo(*command).status == 0
    assert zoo("status", "tiny").lines[-1].endswith("= 1 done")


def test_status_of_a_failed_trial_obeys_no_control_characters_of_its_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2")
    zoo("sweep", "tiny", *ONE, "--bare")
    (log,) = (folder / "runs/train").glob("*/log.txt")
    log.write_text("\x1b[2J" + "x" * 10_000 + "\n")
    told = zoo("status", "tiny").text
    assert "\x1b" not in told
    assert max(map(len, told.splitlines())) < 300


def test_status_of_a_trial_that_failed_before_commands_were_stored_names_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2")
    zoo("sweep", "tiny", "--bare")
    file = folder / "runs/sweeps/tiny/driver.json"
    told = json.loads(file.read_text())
    del told["command"]
    file.write_text(json.dumps(told))
    assert zoo("status", "tiny").lines[-1] == (
        "`zoo sweep experiments/tiny.yaml` does what is left"
    )


def test_status_names_what_holds_back_a_trial_and_a_full_disk(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_SIMULATE", "fail:2")
    zoo("sweep", "tiny", "--bare")
    first, second, third = sorted(path.name for path in (folder / "runs/train").iterdir())[:3]
    journal = SweepJournal(folder / "runs/sweeps/tiny")
    journal.held(first, second, "config")
    journal.retried(second, "infra", 300.0)
    journal.retried(third, "disk", 2.0)
    told = zoo("status", "tiny").text
    assert f"; held back, likely to fail like {second.rpartition('.s0')[0]} [config]" in told
    assert "tried again" not in told  # nobody is there to do that
    holder = {"pid": 1, "host": "here", "since": "today"}
    monkeypatch.setattr(status, "holder_of", lambda *_: holder)
    assert "; tried again in 5m00s [infra]" in zoo("status", "tiny").text
    journal.paused(third, 2**34)
    monkeypatch.setattr(status, "free_bytes", lambda folder: 2**31)
    told = zoo("status", "tiny").text
    assert "; tried again once there is room [disk]" in told
    assert told.endswith("disk full: trials start once 16.00 GiB are free; 2.00 GiB are\n")
