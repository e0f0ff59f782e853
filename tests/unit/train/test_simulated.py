from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support import simulated
from zoo.errors import InputError
from zoo.executors.local import LocalExecutor
from zoo.grading import GRADER_VERSION
from zoo.launching.task import write_task
from zoo.runs.outcome import load
from zoo.scheduling.executor import Stop
from zoo.store import journal, record
from zoo.store.parquet import read_parquet
from zoo.track.payload import points
from zoo.train.entry import run
from zoo.train.simulated import Misbehaviour, policy_at
from zoo.trials.metrics import KL_BASE_POLICY, PHASES, TRAIN_METRICS


def run_all(sweep: simulated.Sweep) -> None:
    for task in sweep.tasks():
        assert run(write_task(task)) == 0


def test_a_trial_leaves_the_files_of_a_real_one(tmp_path: Path) -> None:
    sweep = simulated.make(tmp_path, models="pocket-qwen2", rewards="box-strict")
    run_all(sweep)
    folder = sweep.tasks()[0].folder
    rows = journal.read(folder / "metrics.jsonl")
    assert [row["round"] for row in rows] == [0, 1, 2, 3]
    assert all(name.startswith("eval/") for name in rows[0]["metrics"])
    assert {"train/reward", "train/accuracy", "train/completions/mean_length"} <= set(
        rows[3]["metrics"]
    )
    assert [(e["round"], e["decoding"]) for e in journal.read(folder / "evals.jsonl")] == [
        (0, "t1.0"),
        (0, "t0"),
        (3, "t1.0"),
        (3, "t0"),
    ]
    rollouts = read_parquet(folder / "rollouts/round-0002.parquet")
    assert len(rollouts["id"]) == 8
    assert {"verdict", "reward", "finish", "group", "token_ids"} <= set(rollouts)
    assert (folder / "checkpoints/round-0003").is_dir()
    found = record.read(folder)
    assert found is not None
    assert found.done(3)
    assert found.simulated
    assert found.about["grader"] == GRADER_VERSION
    assert "grader" not in found.identity


def test_a_simulated_round_logs_what_a_real_one_does_and_mlflow_has_it(tmp_path: Path) -> None:
    watch = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 2, decodings: [t1.0]}\n"
    sweep = simulated.make(
        tmp_path, models="pocket-qwen2", rewards="box-strict", rounds=4, more=watch
    )
    run_all(sweep)
    by_round = {row["round"]: row["metrics"] for row in journal.read(journal_of(sweep))}
    names = {f"train/{phase}_time" for phase in PHASES} | set(TRAIN_METRICS)
    names |= {"train/grade/acc/leveleasy", "train/grade/groups/mixed/leveleasy"}
    names |= {"train/peak_memory", "train/tokens_per_second"}
    names -= {"train/kl", "train/sampling/sampling_logp_difference/max"}
    assert [name for name in sorted(names) if name not in by_round[4]] == []
    assert [r for r in by_round if KL_BASE_POLICY in by_round[r]] == [2, 4]
    sent = {point.name for point in points(load(sweep.trials[0], sweep.store))}
    assert names <= sent


def journal_of(sweep: simulated.Sweep) -> Path:
    return sweep.tasks()[0].folder / "metrics.jsonl"


def test_every_stage_record_is_marked_simulated(tmp_path: Path) -> None:
    sweep = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness")
    run_all(sweep)
    folders = [path.parent for path in sweep.store.root.glob("*/*/record.json")]
    assert len(folders) == 1 + 4 + 4
    for folder in folders:
        found = record.read(folder)
        assert found is not None
        assert found.simulated


def test_the_base_model_is_measured_once_for_all_its_trials(tmp_path: Path) -> None:
    sweep = simulated.make(tmp_path, models="pocket-qwen2", seeds="0, 1, 2")
    run_all(sweep)
    base = [path.name for path in (sweep.store.root / "samples").glob("*.r0.*")]
    assert len(base) == 2


def test_the_same_trial_gives_the_same_numbers(tmp_path: Path) -> None:
    journals = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        sweep = simulated.make(tmp_path / name, models="pocket-llama", rewards="correctness")
        run_all(sweep)
        rows = journal.read(sweep.tasks()[0].folder / "metrics.jsonl")
        journals.append([row["metrics"] for row in rows])
    assert journals[0] == journals[1]


def test_curves_follow_reward_and_difficulty_and_learn(tmp_path: Path) -> None:
    sweep = simulated.make(tmp_path, models="pocket-qwen2", rewards="correctness, box-strict")
    plain, strict = (policy_at(trial, 30) for trial in sweep.trials)
    base = policy_at(sweep.trials[0], 0)
    assert plain.right > base.right + 0.2
    assert strict.boxed > plain.boxed
    right = [policy_at(sweep.trials[0], round_).right for round_ in range(1, 30)]
    assert all(later >= earlier for earlier, later in pairwise(right))


def test_an_unknown_word_of_misbehaviour_is_refused() -> None:
    with pytest.raises(InputError, match="unknown word 'flail'"):
        Misbehaviour("flail:3", "trial")


def test_a_simulated_trial_pays_for_no_process_of_its_own(tmp_path: Path) -> None:
    """By the executor. A process would cost seconds of imports, a trial some 20 ms; the line lies
    far from both, as caches shared with busy neighbours double even processor time."""
    sweep = simulated.make(tmp_path, seeds="0, 1, 2, 3, 4")
    first, *rest = sweep.tasks()
    run(write_task(first))  # imports
    begun = time.process_time()
    ended = []
    executor = LocalExecutor(1, run)
    executor.open(ended.append, Stop())
    for task in rest:
        executor.start(task)
        executor.close()
    per_trial = (time.process_time() - begun) / len(rest)
    assert sum(event.ended is not None for event in ended) == 19
    assert per_trial < 0.5
