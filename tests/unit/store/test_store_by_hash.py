"""A trial is found by its hash; its folder keeps the name that it was born with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.evals.stages import sample_identity, sampling_seed
from zoo.launching.task import write_task
from zoo.runs.outcome import load
from zoo.runs.sweep_status import read_status
from zoo.store import journal, record
from zoo.store.run_store import Store
from zoo.train.entry import run


def named(trial_id: str, name: str) -> str:
    return f"{name}-{trial_id.rpartition('-')[2]}"


def test_trial_under_another_name_is_found_done_and_keeps_its_folder(tmp_path: Path) -> None:
    sweep = simulated.make(tmp_path, models="pocket-llama", rewards="correctness")
    (task,) = sweep.tasks()
    assert run(write_task(task)) == 0
    (trial,) = sweep.trials
    other = trial.model_copy(update={"id": named(trial.id, "my-llama.correctness.pocket-easy.s0")})
    assert [item.symbol for item in read_status([other], sweep.store).trials] == ["="]
    store = Store(sweep.store.root)
    assert store.train(other.id) == store.train(trial.id)
    assert load(other, store).measured == load(trial, store).measured
    assert len(list((store.root / "train").iterdir())) == 1


def test_new_evaluation_of_a_renamed_trial_has_the_samples_of_its_first_name(
    tmp_path: Path,
) -> None:
    sweep = simulated.make(tmp_path, models="pocket-llama", rewards="correctness", problems=4)
    (task,) = sweep.tasks()
    run(write_task(task))
    more = simulated.make(tmp_path, models="pocket-llama", rewards="correctness", problems=6)
    (trial,) = more.trials
    other = trial.model_copy(update={"id": named(trial.id, "renamed.s0")})
    assert run(write_task(more.tasks()[0])) == 0
    first = journal.read(sweep.store.train(trial.id) / "evals.jsonl")[-1]["samples"]
    again = sample_identity(
        other, other.evaluations[-1], 3, {"simulated": "1"}, 1, sweep.store.train(other.id).name
    )
    assert first.startswith("pocket-llama.")
    assert again[0] == first


@pytest.mark.parametrize(
    "change", [{"lineage": 2}, {"stack": {"torch": "9.9"}}, {"born": "another.name.s0-HASH"}]
)
def test_sampling_seed_ignores_lineage_stack_and_name(tmp_path: Path, change: dict) -> None:
    (trial,) = simulated.make(tmp_path, models="pocket-llama", rewards="correctness").trials
    given = {"stack": {"torch": "2.13"}, "lineage": 1, "born": trial.id}
    if "born" in change:
        change = {"born": change["born"].replace("HASH", trial.id.rpartition("-")[2])}
    evaluation = trial.evaluations[0]
    first_id, first = sample_identity(trial, evaluation, 3, **given)
    other_id, other = sample_identity(trial, evaluation, 3, **(given | change))
    assert sampling_seed(first) == sampling_seed(other)
    assert first_id != other_id
    _, later = sample_identity(trial, evaluation, 2, **given)
    assert sampling_seed(later) != sampling_seed(first)
    _, greedy = sample_identity(trial, trial.evaluations[1], 3, **given)
    assert sampling_seed(greedy) != sampling_seed(first)


def test_of_two_folders_of_one_hash_the_done_one_counts_else_the_older(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    for name, began in (("b.s0-0123456789", 5.0), ("a.s0-0123456789", 9.0)):
        folder = root / "train" / name
        folder.mkdir(parents=True)
        row = {"attempt": 1, "lineage": 1, "round": 0, "time": began, "metrics": {}}
        (folder / "metrics.jsonl").write_text(json.dumps(row) + "\n")
    assert Store(root).train("c.s0-0123456789").name == "b.s0-0123456789"
    done = record.Record(form=2, id="a", stage="train", state="done", round=1)
    record.write(root / "train" / "a.s0-0123456789", done)
    assert Store(root).train("c.s0-0123456789").name == "a.s0-0123456789"
    assert Store(root).train("c.s0-ffffffffff").name == "c.s0-ffffffffff"
