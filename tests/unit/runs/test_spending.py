"""What a sweep spent, from the rows of its journal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo.runs.spending import Spending, gib_by_trial, read_spending
from zoo.store.run_store import Store
from zoo.store.sweep_rows import NAME, line_of

HOUR = 3600.0


def driver(at: float, **more: object) -> dict:
    return {"epoch": 1, "event": "driver", "time": at} | more


def launch(token: str, at: float, gpus: float = 2.0) -> dict:
    row = {"epoch": 1, "event": "launch", "time": at, "trial": token.upper(), "token": token}
    return row | {"gpus": gpus}


def end(token: str, at: float, seconds: float, state: str = "done", gpus: float = 2.0) -> dict:
    row = {"epoch": 1, "event": "end", "time": at, "trial": token.upper(), "token": token}
    return row | {"seconds": seconds, "gpu_s": seconds * gpus, "state": state}


def test_spending_adds_ended_launches_running_ones_and_the_wall_time_of_drivers() -> None:
    rows = [driver(0, usd_per_hour=3.0), launch("a", 0), end("a", HOUR, HOUR), launch("b", HOUR)]
    found = Spending(rows).at(1.5 * HOUR)
    assert (found.gpu_hours, found.usd, found.hours) == (3.0, 9.0, 1.5)
    rows += [end("b", 2 * HOUR, HOUR, "failed"), {"epoch": 1, "event": "over", "time": 2 * HOUR}]
    found = Spending(rows).at(9 * HOUR)
    assert (found.gpu_hours, found.hours) == (4.0, 2.0)


def test_spending_of_a_trial_counts_its_failed_launches_and_only_once_it_came_to_an_outcome() -> (
    None
):
    rows = [driver(0), launch("a", 0), end("a", HOUR, HOUR, "failed")]
    assert Spending(rows).took == {}
    rows += [launch("a", HOUR), end("a", 3 * HOUR, 2 * HOUR)]
    assert Spending(rows).took == {"A": 3.0}


def test_spending_of_a_dead_driver_ends_with_its_last_sign_of_life() -> None:
    rows = [driver(0), launch("a", 0), driver(9 * HOUR, lived_until=HOUR)]
    found = Spending(rows).at(9 * HOUR)
    assert (found.gpu_hours, found.hours) == (2.0, 1.0)


def test_spending_of_a_driver_that_died_is_read_from_the_files_of_its_trials(
    tmp_path: Path,
) -> None:
    store = Store(tmp_path)
    for folder in (store.train("A"), store.sweep("s")):
        folder.mkdir(parents=True)
    (store.sweep("s") / NAME).write_bytes(line_of(driver(0)) + line_of(launch("a", 0)))
    written = store.train("A") / "metrics.jsonl"
    written.write_text("")
    os.utime(written, (HOUR, HOUR))
    spending, now = read_spending(store, "s")
    assert now > 9 * HOUR
    assert spending.at(now).gpu_hours == pytest.approx(2.0)
    assert spending.at(now).hours == pytest.approx(1.0)
    assert not spending.running


def test_gib_by_trial_sums_its_folder(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (store.train("A") / "state").mkdir(parents=True)
    (store.train("A") / "state" / "one").write_bytes(bytes(10))
    (store.train("A") / "two").write_bytes(bytes(5))
    assert gib_by_trial(store, ["A", "never-ran"]) == {"A": 15 / 2**30, "never-ran": 0}
