"""Random grids, workers, failures and crashes of the driver, against a pure reference of what is
launched: every trial comes to its end once, and no failure buys more launches than its class has.
"""

from __future__ import annotations

import io
import random
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import simulated
from tests.support.scripted import Scripted
from zoo.catalog import ComputeProfile
from zoo.errors import StateError
from zoo.orchestrate import driver
from zoo.orchestrate.invocation import Sweep
from zoo.orchestrate.progress import Lines
from zoo.orchestrate.sweep_journal import read
from zoo.runs.sweep_status import read_status
from zoo.store import record

PROFILE = ComputeProfile(form="profile/1", name="test", executor="local")
MODELS = ("pocket-qwen2", "pocket-llama", "pocket-mistral")
BUDGETS = {"killed": 3, "infra": 3, "hang": 1, "error": 0, "mismatch": 0}
OUTCOMES = ("done", "killed", "infra", "hang", "error", "mismatch", "interrupted")


def launches_of(script: list[str], spent: Counter[str]) -> int:
    """The reference: launches of one trial in one invocation, which takes outcomes off its script
    and adds to the retries that it has spent."""
    launches = 0
    while True:
        launches += 1
        outcome = script.pop(0) if script else "done"
        if outcome == "done":
            return launches
        if outcome != "interrupted":
            if spent[outcome] >= BUDGETS[outcome]:
                return launches
            spent[outcome] += 1


@dataclass(frozen=True)
class Case:
    models: int
    seeds: int
    workers: int
    seed: int
    script: dict[int, list[str]]
    crashes: list[int]


cases = st.builds(
    Case,
    models=st.integers(1, 3),
    seeds=st.integers(1, 3),
    workers=st.integers(1, 4),
    seed=st.integers(0, 2**16),
    script=st.dictionaries(st.integers(0, 8), st.lists(st.sampled_from(OUTCOMES[1:]), max_size=6)),
    crashes=st.lists(st.integers(0, 6), max_size=2),
)


def invoke(made: simulated.Sweep, executor: Scripted) -> int | None:
    """Run the sweep; None = its driver died."""
    sweep = Sweep(made.manifest, made.trials, made.store, made.folder / "sweeps/tiny", PROFILE)
    status = read_status(sweep.trials, sweep.store)
    try:
        return driver.run(sweep, status, lambda: executor, Lines(io.StringIO())).exit_code
    except StateError:
        return None


def made_of(case: Case, folder: Path) -> simulated.Sweep:
    models, seeds = ", ".join(MODELS[: case.models]), ", ".join(map(str, range(case.seeds)))
    named = {"rewards": "correctness", "rounds": 1, "problems": 1}
    return simulated.make(folder, models=models, seeds=seeds, **named)


def script_of(case: Case, made: simulated.Sweep) -> dict[str, list[str]]:
    return {trial.id: list(case.script.get(at, [])) for at, trial in enumerate(made.trials)}


def records_of(made: simulated.Sweep) -> dict[str, bytes]:
    paths = {trial.id: made.store.train(trial.id) / "record.json" for trial in made.trials}
    return {id_: path.read_bytes() for id_, path in paths.items() if path.is_file()}


@settings(max_examples=12, deadline=None, derandomize=True)
@given(cases)
def test_any_sweep_launches_what_the_reference_launches_and_ends_each_trial_once(
    case: Case,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        made = made_of(case, Path(name))
        script, rng = script_of(case, made), random.Random(case.seed)
        kept: dict[str, bytes] = {}
        for crash in case.crashes:  # drivers that die: what was finished stays as it was
            broken = Scripted(script, case.workers, rng, crash)
            invoke(made, broken)
            assert not set(broken.launches) & set(kept)
            found = records_of(made)
            assert {id_: found[id_] for id_ in kept} == kept
            kept = found
        spent = spent_by(made)
        for _ in range(8):
            reference = {id_: list(words) for id_, words in script.items()}
            left = [trial.id for trial in made.trials if trial.id not in kept]
            expected = Counter({id_: launches_of(reference[id_], spent[id_]) for id_ in left})
            executor = Scripted(script, case.workers, rng)
            exit_code = invoke(made, executor)
            assert Counter(executor.launches) == expected
            assert script == reference
            kept = records_of(made)
            assert exit_code == int(len(kept) < len(made.trials))
        assert len(kept) == len(made.trials)
        states = [record.read(made.store.train(trial.id)) for trial in made.trials]
        assert all(found is not None and found.attempt == 1 for found in states)


def spent_by(made: simulated.Sweep) -> dict[str, Counter[str]]:
    """Retries that drivers which died have spent, by the journal's lines alone."""
    found: dict[str, Counter[str]] = {trial.id: Counter() for trial in made.trials}
    for row in read(made.store.sweep("tiny") / "journal.jsonl").rows:
        if row["event"] == "retry" and row["failure_class"] != "interrupted":
            found[row["trial"]][row["failure_class"]] += 1
        elif row["event"] == "end" and row["state"] == "done":
            found[row["trial"]].clear()
    return found
