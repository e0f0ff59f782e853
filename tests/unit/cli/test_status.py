"""`zoo status` of a sweep with failed trials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import zoo

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
