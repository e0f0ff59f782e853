"""The spread between seeds, pooled over the finished trials of a store."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from tests.support.made_up_sweep import STACK, Sweep, make_sweep, write_trial
from zoo.manifest.metric_name import MetricName
from zoo.runs.seed_noise import spreads
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.trials.metrics import Metric, metrics_of
from zoo.trials.trial import Trial

ACC, BOX = "eval/pocket-easy/acc/t1.0", "eval/pocket-hard/box_ratio/t0"
LENGTH = "train/completions/mean_length"
WANTED = (ACC, BOX, "eval/avg2/acc/t1.0", LENGTH)


def study(folder: Path, seeds: int = 3, **said) -> Sweep:
    """Four cells of pocket models, nothing run yet."""
    models, rewards = ("pocket-qwen2", "pocket-llama"), ("correctness", "box-strict")
    return make_sweep(
        folder,
        models=models,
        rewards=rewards,
        data=("pocket-easy",),
        seeds=range(seeds),
        rounds=6,
        problems=30,
        **said,
    )


def metrics(sweep: Sweep, *names: str) -> list[Metric]:
    """Metrics of a sweep, by name."""
    known = metrics_of(sweep.trials)
    return [known[name] for name in names]


def by_hand(sweep: Sweep, name: str) -> float:
    """The pooled spread of a single benchmark's metric at the horizon, in points."""
    groups: dict[str, list[float]] = {}
    parts = MetricName.parse(name)
    assert parts is not None
    for trial in sweep.trials:
        rows = journal.read(sweep.store.train(trial.id) / "evals.jsonl")
        (value,) = [
            row["values"][parts.measure]
            for row in rows
            if (row["round"], row["benchmark"], row["decoding"], row["problems"])
            == (trial.rounds, parts.benchmark, parts.decoding, 30)
        ]
        groups.setdefault(str(trial.cell), []).append(100 * value)
    squares = sum((v - fmean(group)) ** 2 for group in groups.values() for v in group)
    return math.sqrt(squares / sum(len(group) - 1 for group in groups.values()))


def test_the_spread_is_pooled_over_cells_in_the_unit_of_claims(tmp_path: Path) -> None:
    sweep = study(tmp_path).run()
    found = spreads(sweep.store, metrics(sweep, *WANTED))
    assert found[ACC].value == pytest.approx(by_hand(sweep, ACC))
    assert found[BOX].value == pytest.approx(by_hand(sweep, BOX))
    assert found[ACC].df == 8
    assert found[ACC].source == "measured on 12 trials of 4 cells"
    assert 0 < found["eval/avg2/acc/t1.0"].value < 20
    assert 0.2 < found[LENGTH].value < 2  # tokens, drawn with 0.8


def test_a_mean_over_the_last_measurements_is_steadier(tmp_path: Path) -> None:
    sweep = study(tmp_path, seeds=6).run()
    one, five = (spreads(sweep.store, metrics(sweep, LENGTH), last)[LENGTH] for last in (1, 5))
    assert five.value < one.value


def test_another_set_of_problems_says_nothing_of_a_metrics_noise(tmp_path: Path) -> None:
    sweep = study(tmp_path).run()
    watch = "watch/pocket-easy/acc/t1.0"
    assert spreads(sweep.store, metrics(sweep, watch)) == {}  # it stops at round 5 of 6
    (known,) = metrics(sweep, ACC)
    larger = known.evaluations[0].model_copy(update={"problems": 31})
    assert spreads(sweep.store, [replace(known, evaluations=(larger,))]) == {}


def test_too_few_replicates_say_nothing(tmp_path: Path) -> None:
    sweep = study(tmp_path)
    wanted = metrics(sweep, ACC)
    assert spreads(sweep.store, wanted) == {}
    sweep.run(sweep.trials[:3])
    assert spreads(sweep.store, wanted) == {}  # two degrees of freedom
    assert spreads(sweep.store, []) == {}


def test_only_real_and_finished_trials_count(tmp_path: Path) -> None:
    sweep = study(tmp_path, seeds=4)
    first, second, third, fourth = (sweep.trials[i : i + 4] for i in (0, 4, 8, 12))
    sweep.run(first).run(second)
    wanted = metrics(sweep, ACC)
    real = spreads(sweep.store, wanted)[ACC]
    assert real.df == 6
    for trial in third:
        write_trial(sweep, trial, stop_after=3, state="failed", failure_class="oom")
    for trial in fourth:
        write_trial(sweep, trial)
        edit(sweep, trial, rehearsal=True)
    assert spreads(sweep.store, wanted)[ACC] == real


def test_another_stack_or_horizon_is_no_replicate(tmp_path: Path) -> None:
    sweep = study(tmp_path, seeds=2).run()
    for trial in sweep.trials:
        if trial.seed == 1:
            edit(sweep, trial, stack=STACK | {"vllm": "0.32"})
    assert spreads(sweep.store, metrics(sweep, ACC)) == {}


def test_seeds_that_all_agree_are_not_taken_for_certainty(tmp_path: Path) -> None:
    sweep = study(tmp_path, seeds=8)
    same = sweep.trials[:8]
    sweep.run(same)
    assert ACC in spreads(sweep.store, metrics(sweep, ACC))
    files = [sweep.store.train(trial.id) / "evals.jsonl" for trial in same]
    for file in files[1:]:
        file.write_text(files[0].read_text())
    assert spreads(sweep.store, metrics(sweep, ACC)) == {}


def edit(sweep: Sweep, trial: Trial, **changes) -> None:
    """Change a trial's record."""
    folder = sweep.store.train(trial.id)
    found = record.read(folder)
    assert isinstance(found, Record)
    record.write(folder, found.model_copy(update=changes), durable=False)
