"""Real sweeps: Ray Tune, TRL, vLLM on CPU, MLflow and the report, as a user runs them.

Also what only real trials can show: shared baselines, repeatability, and that measuring changes
nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from tests.support.same_trial import untimed
from tests.support.sweeps import real
from tests.support.trials import finish, manifest, start, trials_of
from zoo.data.resolve import EMBEDDED
from zoo.store import journal
from zoo.store import record as records
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

MEASURED = (
    "{full: {benchmarks: [pocket-easy], problems: 16, at: [0, last]}, "
    "watch: {benchmarks: [pocket-easy], problems: 16, at: [last]}}"
)
"""Both schedules ask for the same responses."""


class Runs(NamedTuple):
    """The trials of this file: two of one model started together, one of them again, and once
    unmeasured.
    """

    store: Store
    notebook: Path
    pair: list[Trial]
    folders: list[Path]
    again: Path
    unmeasured: Path
    own: Path
    diverging: Path
    later: Store
    """The store of the unmeasured trial, measured after it ended."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    top = tmp_path_factory.mktemp("real")
    store, second, third = Store(top / "a"), Store(top / "b"), Store(top / "c")
    path = manifest(top, "pair", reward="[correctness, box-strict]", evaluate=MEASURED)
    pair = trials_of(path)
    sweep(path, store, top / "sweeps")
    folders = [store.train(trial.id) for trial in pair]

    plain = trials_of(manifest(top, "plain", evaluate="{}"))[0]
    assert plain.id == pair[0].id  # evaluation is no part of what a training run is
    own = trials_of(own_manifest(top))[0]
    diverging = trials_of(
        manifest(
            top,
            "diverging",
            model="pocket-llama",
            batch="{prompts: 4, num_generations: 4, updates: 4}",
            rounds="3\ngrpo: {learning_rate: 1.0e+30, max_grad_norm: 1.0e+30}",
        )
    )[0]
    waves = [(pair[0], second), (plain, third), (own, third), (diverging, third)]
    processes = [start(trial, where) for trial, where in waves]
    found = [finish(p, *w) for p, w in zip(processes, waves, strict=True)]
    finish(start(pair[0], third), pair[0], third)  # measures what is done and not measured
    return Runs(store, top / "sweeps" / "pair", pair, folders, *found, third)


def sweep(path: Path, store: Store, sweeps: Path) -> str:
    """Run `zoo sweep`, as a user does: Ray Tune, two trials at a time, MLflow, report."""
    where = {"ZOO_RUNS": str(store.root), "ZOO_SWEEPS": str(sweeps)}
    return real(path.parent, str(path), **where)


def own_manifest(top: Path) -> Path:
    """A model folder and a data file without cards, with GSM8K's form of references."""
    rows = [{"q": f"What is {i}+{i}?", "a": f"{i}+{i}={2 * i}\n#### {2 * i}"} for i in range(20)]
    (top / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return manifest(
        top,
        "own",
        model=f"[{{path: {EMBEDDED / 'pocket-llama'}, prompt: none, cap: 32, name: my-model, "
        f"stop_ids: [{end_of_sentence()}]}}]",
        data=f"[{{path: {top / 'mine.jsonl'}, columns: {{problem: q, answer: a}}, gold: gsm8k}}]",
        evaluate="{full: {benchmarks: [pocket-easy], problems: 16, at: [0, last]}}",
    )


def end_of_sentence() -> int:
    """A token of text that ends a response of the model of this file's own."""
    return Tokenizer.from_file(str(EMBEDDED / "pocket-llama/tokenizer.json")).token_to_id(".")


def lines(folder: Path) -> list[dict[str, Any]]:
    """A trial's metrics without those that tell of time and memory."""
    rows = journal.read(folder / "metrics.jsonl")
    for row in rows:
        del row["time"]
        row["metrics"] = untimed(row["metrics"])
    return rows


def test_a_trial_leaves_a_record_a_line_a_round_and_all_rollouts(runs: Runs) -> None:
    record = records.read(runs.folders[0])
    assert record is not None
    assert record.done(2)
    assert not record.simulated
    assert [row["round"] for row in journal.read(runs.folders[0] / "metrics.jsonl")] == [0, 1, 2]
    rollouts = pq.read_table(runs.folders[0] / "rollouts" / "round-0002.parquet").to_pydict()
    assert len(rollouts["text"]) == 16
    assert set(rollouts) >= {"id", "prompt", "gold", "text", "token_ids", "verdict", "reward"}
    assert set(rollouts) >= {"finish", "round", "group"}
    assert rollouts["group"] == [i // 4 for i in range(16)]
    assert all(len(set(rollouts["prompt"][g : g + 4])) == 1 for g in range(0, 16, 4))


def test_a_round_logs_how_responses_ended_what_it_cost_and_how_far_the_policy_went(
    runs: Runs,
) -> None:
    for row in journal.read(runs.folders[0] / "metrics.jsonl")[1:]:
        found = {name.removeprefix("train/"): value for name, value in row["metrics"].items()}
        rows = pq.read_table(runs.folders[0] / "rollouts" / f"round-{row['round']:04d}.parquet")
        rows = rows.to_pydict()
        lengths = [len(ids) for ids in rows["token_ids"]]
        for name, verdict in (("right", "correct"), ("wrong", "wrong")):
            of = [n for n, v in zip(lengths, rows["verdict"], strict=True) if v == verdict]
            if verdict == "wrong":  # what has no answer is not correct either
                of += [n for n, v in zip(lengths, rows["verdict"], strict=True) if v == "no_answer"]
            expected = pytest.approx(sum(of) / len(of)) if of else None
            assert found.get(f"completions/mean_{name}_length") == expected
        assert found["completions/mean_length"] == pytest.approx(sum(lengths) / 16)
        assert found["completions/max_length"] == max(lengths)  # as wide is every forward pass
        ends = ("frac_end_token", "frac_stop_token", "clipped_ratio")
        assert sum(found[f"completions/{name}"] for name in ends) == pytest.approx(1)
        assert found["completions/clipped_ratio"] == rows["finish"].count("length") / 16
        level = "easy"
        assert found[f"grade/acc/level{level}"] == found["accuracy"]
        assert found[f"grade/groups/mixed/level{level}"] == found["grade/groups/mixed"]
        weights = "sampling/importance_sampling_ratio"
        assert 0 <= found[f"{weights}/frac_clipped"] <= 1
        assert found[f"{weights}/frac_masked"] == 0  # the recipe clips
        assert {"clip_ratio/region_mean", "clip_ratio/high_mean"} <= set(found)
        times = ("generation_time", "grading_time", "update_time", "peak_memory")
        assert all(found[name] > 0 for name in (*times, "tokens_per_second"))
        assert ("kl_base_policy" in found) == (row["round"] == 2)
    assert abs(found["kl_base_policy"]) < 0.1
    assert found["kl_base_policy"] != 0
    assert found["evaluation_time"] > 0


def test_engine_and_trainer_hold_the_same_weights(runs: Runs) -> None:
    for folder in runs.folders:
        for row in journal.read(folder / "metrics.jsonl")[1:]:
            assert row["metrics"]["train/sampling/sampling_logp_difference/mean"] < 0.005


def test_two_trials_of_a_model_started_together_measure_its_base_once(runs: Runs) -> None:
    bases = [folder for folder in (runs.store.root / "samples").iterdir() if ".r0." in folder.name]
    assert len(bases) == 2  # one a decoding
    indexes = [
        {row["samples"] for row in journal.read(folder / "evals.jsonl") if row["round"] == 0}
        for folder in runs.folders
    ]
    assert indexes[0] == indexes[1] == {folder.name for folder in bases}


def test_the_same_trial_again_gives_the_same_lines(runs: Runs) -> None:
    assert lines(runs.again) == lines(runs.folders[0])


def test_measuring_changes_no_weight(runs: Runs) -> None:
    measured = load_file(runs.folders[0] / "checkpoints" / "round-0002" / "model.safetensors")
    unmeasured = load_file(runs.unmeasured / "checkpoints" / "round-0002" / "model.safetensors")
    base = load_file(EMBEDDED / "pocket-mistral" / "model.safetensors")
    assert measured.keys() == unmeasured.keys()
    assert all((measured[name] == unmeasured[name]).all() for name in measured)
    assert any((measured[name] != base[name]).any() for name in measured if name in base)


def test_later_evaluation_from_kept_weights_equals_the_live_one_bit_for_bit(runs: Runs) -> None:
    """Also its seeds: they follow from what is measured, not from when or by which launch."""
    live = journal.read(runs.folders[0] / "evals.jsonl")
    later = journal.read(runs.unmeasured / "evals.jsonl")
    assert {row["attempt"] for row in later} == {2}
    assert {row["lineage"] for row in later} == {1}
    by_key = {(row["round"], row["decoding"]): row for row in later}
    assert len(live) == len(by_key) == 4
    for row in live:
        other = by_key[row["round"], row["decoding"]]
        assert other["values"] == row["values"]
        texts = [
            pq.read_table(store.completions(name), columns=["text", "token_ids"])
            for store, name in ((runs.store, row["samples"]), (runs.later, other["samples"]))
        ]
        assert texts[0].equals(texts[1]), (row["round"], row["decoding"])


def test_measuring_later_rewrites_no_record(runs: Runs) -> None:
    record = records.read(runs.unmeasured)
    assert record is not None
    assert (record.attempt, record.state, record.round) == (1, "done", 2)


def test_weights_that_are_no_numbers_stop_a_trial_at_the_first_update_that_shows_it(
    runs: Runs,
) -> None:
    record = records.read(runs.diverging)
    assert record is not None
    assert (record.state, record.stop_reason, record.round) == ("stopped", "diverged", 0)
    assert record.message.startswith("round 1, update 2 of 4: ")
    assert [row["round"] for row in journal.read(runs.diverging / "metrics.jsonl")] == [0]
    assert {row["round"] for row in journal.read(runs.diverging / "evals.jsonl")} == {0}


def test_a_model_folder_and_a_data_file_need_no_card(runs: Runs) -> None:
    record = records.read(runs.own)
    assert record is not None
    assert record.done(2)
    rollouts = pq.read_table(runs.own / "rollouts" / "round-0001.parquet").to_pydict()
    assert all(text.startswith("What is") for text in rollouts["prompt"])
    assert all(gold.isdigit() for gold in rollouts["gold"])
    assert max(len(ids) for ids in rollouts["token_ids"]) <= 32


def test_stop_token_with_text_is_part_of_what_is_graded_in_training_and_evaluation(
    runs: Runs,
) -> None:
    tokenizer = Tokenizer.from_file(str(EMBEDDED / "pocket-llama/tokenizer.json"))
    samples = {row["samples"] for row in journal.read(runs.own / "evals.jsonl")}
    files = [runs.later.completions(name) for name in samples]
    for path in [*sorted((runs.own / "rollouts").glob("*.parquet")), *files]:
        rows = pq.read_table(path, columns=["text", "token_ids", "finish"]).to_pylist()
        stopped = [row for row in rows if row["token_ids"][-1] == end_of_sentence()]
        assert stopped, path
        assert {row["finish"] for row in stopped} == {"stop"}
        assert all(row["text"].endswith(".") for row in stopped)
        assert all(row["text"] == tokenizer.decode(row["token_ids"]) for row in rows)
    for row in journal.read(runs.own / "metrics.jsonl")[1:]:
        path = runs.own / "rollouts" / f"round-{row['round']:04d}.parquet"
        ids = [
            ids[-1] for ids in pq.read_table(path, columns=["token_ids"]).to_pydict()["token_ids"]
        ]
        share = ids.count(end_of_sentence()) / len(ids)
        assert row["metrics"]["train/completions/frac_stop_token"] == pytest.approx(share)


def test_a_sweep_leaves_a_report_results_and_finished_mlflow_runs(runs: Runs) -> None:
    from mlflow import MlflowClient

    page = (runs.notebook / "report.html").read_text(encoding="utf-8")
    assert "Does the path hold?" in page
    assert len((runs.notebook / "plan.lock.jsonl").read_text().splitlines()) == 2
    header = (runs.notebook / "results.csv").read_text().splitlines()[0].split(",")
    assert header == [
        *("trial", "model", "reward", "data", "seed", "round", "metric", "value", "n", "role")
    ]
    client = MlflowClient(runs.store.mlflow_uri)
    experiment = client.get_experiment_by_name("pair")
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    assert [run.info.status for run in found] == ["FINISHED"] * 3
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    assert {run.data.params["reward"] for run in children} == {"correctness", "box-strict"}
    for run in children:
        assert "eval/pocket-easy/acc/t1.0" in run.data.metrics
        assert "train/reward" in run.data.metrics


def test_a_sweep_again_does_nothing_and_says_so(runs: Runs) -> None:
    path = runs.notebook.parents[1] / "pair.yaml"
    assert "nothing to do" in sweep(path, runs.store, runs.notebook.parent)
