"""A budget while a sweep runs: what starts, what is ended early, and how it goes on."""

from __future__ import annotations

import io
import random
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import simulated
from tests.support.scripted import Scripted
from tests.support.study_models import profile
from zoo.catalog import ComputeProfile
from zoo.executors.local import LocalExecutor
from zoo.findings.view import state_words
from zoo.orchestrate import driver
from zoo.orchestrate.invocation import Ran, Sweep
from zoo.orchestrate.progress import Lines
from zoo.runs import outcome
from zoo.runs.sweep_status import read_status, trial_status
from zoo.scheduling.budget import Forecast, Need
from zoo.scheduling.executor import Executor
from zoo.store import record
from zoo.store.sweep_rows import read

GPUS = profile(8, gpus_per_trial=1)
CPU = ComputeProfile(form="profile/1", name="test", executor="local")


def drive(
    made: simulated.Sweep,
    executor: Executor,
    profile: ComputeProfile = GPUS,
    hours: float = 1.0,
) -> tuple[Ran, str]:
    """Run a sweep whose trials need so many hours by the cost model."""
    gpus = 1.0 if profile is GPUS else 0.0
    forecast = Forecast(made.trials, {trial.id: Need(hours, gpus) for trial in made.trials})
    folder, out = made.folder / "sweeps/tiny", io.StringIO()
    sweep = Sweep(made.manifest, made.trials, made.store, folder, profile, forecast=forecast)
    status = read_status(sweep.trials, sweep.store)
    return driver.run(sweep, status, lambda: executor, Lines(out)), out.getvalue()


def scripted(slots: int = 1, hours: float = 1.0) -> Scripted:
    return Scripted(defaultdict(list), slots, random.Random(0), hours=hours)


def make(folder: Path, budget: str, **settings) -> simulated.Sweep:
    return simulated.make(folder, more=f"budget: {{{budget}}}\n", **settings)


def rows(made: simulated.Sweep, event: str) -> list[dict]:
    found = read(made.store.sweep("tiny") / "journal.jsonl").rows
    return [row for row in found if row["event"] == event]


def test_budget_exhausted_leaves_trials_that_do_not_fit(tmp_path: Path) -> None:
    made = make(tmp_path, "gpu_hours: 2.5")
    executor = scripted()
    ran, told = drive(made, executor)
    assert (ran.exit_code, len(executor.launches), len(ran.status.left)) == (1, 2, 2)
    assert {one.state for one in ran.status.left} == {"new"}
    assert "the rest needs about 4 GPU-hours: trials start only where they fit" in told
    assert "held back by the budget (gpu_hours: 2 of 2.5 spent): pocket-" in told
    held = rows(made, "budget")
    assert {row["trial"] for row in held} == {one.trial.id for one in ran.status.left}
    assert not any(row["cut"] for row in held)


def test_budget_counts_what_earlier_invocations_spent_and_goes_on_when_raised(
    tmp_path: Path,
) -> None:
    drive(make(tmp_path, "gpu_hours: 2.5"), scripted())
    again = scripted()
    ran, told = drive(make(tmp_path, "gpu_hours: 2.5"), again)
    assert (ran.exit_code, again.launches) == (1, [])
    assert "held back by the budget (gpu_hours: 2 of 2.5 spent)" in told
    raised = scripted()
    ran, told = drive(make(tmp_path, "gpu_hours: 4.1"), raised)
    assert (ran.exit_code, len(raised.launches)) == (0, 2)
    assert "budget" not in told


def test_budget_reserves_what_running_trials_still_need(tmp_path: Path) -> None:
    made = make(tmp_path, "gpu_hours: 2.5")
    executor, most = scripted(slots=4), [0]
    check = executor.check

    def counting() -> None:
        most[0] = max(most[0], len(executor.running))
        check()

    executor.check = counting
    drive(made, executor)
    assert most == [2]


def test_budget_forecast_follows_what_finished_trials_took(tmp_path: Path) -> None:
    made = make(tmp_path, "gpu_hours: 2.5", models="pocket-llama", seeds="0, 1")
    executor = scripted(hours=0.5)  # twice as fast as planned
    assert drive(made, executor)[0].exit_code == 0
    assert len(executor.launches) == 4


def test_budget_of_failures_counts_as_well(tmp_path: Path) -> None:
    made = make(tmp_path, "gpu_hours: 3.5", models="pocket-llama")
    executor = scripted()
    executor.script |= {trial.id: ["infra", "infra", "infra"] for trial in made.trials}
    ran, told = drive(made, executor)
    assert (ran.exit_code, len(executor.launches)) == (1, 3)
    assert "held back by the budget (gpu_hours: 3 of 3.5 spent)" in told


@pytest.mark.parametrize("limit", ["gpu_hours: 1.5", "usd: 3"])
def test_sweep_without_gpus_or_price_has_no_such_limit(tmp_path: Path, limit: str) -> None:
    assert drive(make(tmp_path, limit), scripted(), CPU)[0].exit_code == 0


def test_budget_reached_stops_running_trials_which_go_on_when_it_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"models": "pocket-llama", "rewards": "correctness", "rounds": 40}
    monkeypatch.setenv("ZOO_SIMULATE", "sleep:0.2")
    made = make(tmp_path, f"hours: {4 / 3600}", **one)
    ran, told = drive(made, LocalExecutor(1), CPU, hours=0.0)
    assert ran.exit_code == 1
    assert "of 0.00111 spent): trials end their rounds and save them" in told
    assert "goes on from its checkpoint once that is raised" in told
    assert "tried again" not in told
    (trial,) = made.trials
    found = record.read(made.store.train(trial.id))
    assert found is not None
    assert (found.state, found.stop_reason, found.finished()) == ("stopped", "budget", False)
    assert 0 < found.round < 40
    seen = outcome.load(trial, made.store)
    assert seen.state == "preempted"  # it is not judged
    assert state_words(seen) == f"stopped by the budget at round {found.round}"
    status = trial_status(trial, made.store)
    assert (status.state, status.symbol) == ("unfinished", ">")
    assert status.why.startswith(f"stopped by the budget at round {found.round}/40; continues af")
    (cut,) = rows(made, "budget")
    assert (cut["trial"], cut["cut"]) == (trial.id, True)
    monkeypatch.delenv("ZOO_SIMULATE")
    raised = make(tmp_path, "hours: 1", **one)
    assert drive(raised, LocalExecutor(1), CPU, hours=0.0)[0].exit_code == 0
    found = record.read(made.store.train(trial.id))
    assert found is not None
    assert (found.state, found.round, found.stop_reason) == ("done", 40, None)
    assert found.about["resumed_from"] > 0


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    workers=st.integers(1, 4),
    limits=st.lists(st.floats(0.3, 9.0), min_size=1, max_size=3),
    failures=st.dictionaries(st.integers(0, 5), st.sampled_from(["killed", "error"]), max_size=2),
    seed=st.integers(0, 99),
)
def test_any_budget_is_kept_and_what_it_leaves_is_done_once_it_is_raised(
    workers: int, limits: list[float], failures: dict[int, str], seed: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        named = {"rewards": "correctness", "seeds": "0, 1, 2", "rounds": 1, "problems": 1}
        script = defaultdict(list)
        done: set[str] = set()
        for limit in [*sorted(limits), 1000.0, 1000.0]:
            made = make(Path(name), f"gpu_hours: {limit}", **named)
            if not done:
                script |= {t.id: [failures[i]] for i, t in enumerate(made.trials) if i in failures}
            executor = Scripted(script, workers, random.Random(seed), hours=1.0)
            ran, _ = drive(made, executor)
            assert not done & set(executor.launches)
            spent = sum(row["gpu_s"] for row in rows(made, "end")) / 3600
            assert spent <= limit
            done = {trial.id for trial in made.trials} - {one.trial.id for one in ran.status.left}
            assert ran.exit_code == int(len(done) < len(made.trials))
        assert len(done) == len(made.trials)
