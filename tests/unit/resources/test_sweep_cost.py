from __future__ import annotations

import time

import pytest

from tests.support.study_models import STUDY, evaluations, full_grid, profile, trial
from zoo.catalog import Batch, Catalog, ComputeProfile, Gpu, ModelCard
from zoo.resources import Rate, forecloses, sweep_cost, trial_cost

NODE = profile(8, Gpu(name="H100", memory_gib=80, usd_per_hour=2.5))


def test_the_full_grid_is_of_the_order_of_two_hundred_thousand_hours() -> None:
    found = sweep_cost(full_grid(), NODE)
    print(f"\n{found.hours.mid:,.0f} GPU-hours, {found.hours.low:,.0f} to {found.hours.high:,.0f}")
    assert 234_200 / 1.5 < found.hours.mid < 250_000
    assert found.arms["model"]["mistral-small-24b"].mid > found.arms["model"]["qwen2.5-32b"].mid
    assert found.wall_hours
    assert found.wall_hours.mid / 24 > 900  # days on one node


def test_sums_by_arm_add_up_to_the_whole_for_every_axis() -> None:
    trials = [t.model_copy(update={"cell": {**t.cell, "grpo.beta": t.seed}}) for t in full_grid()]
    found = sweep_cost(trials, NODE)
    without_base = found.hours.mid - found.base.mid
    for axis in ("model", "reward", "data", "grpo.beta"):
        assert sum(hours.mid for hours in found.arms[axis].values()) == pytest.approx(without_base)
    assert list(found.arms["model"]) == list(STUDY)
    assert found.arms["reward"]["box-strict"].mid > found.arms["reward"]["correctness"].mid
    assert set(found.arms["grpo.beta"]) == {"0", "1", "2"}


def test_seeds_cost_the_same_and_share_one_computation() -> None:
    found = sweep_cost(full_grid(), NODE)
    assert len(found.trials) == 270
    assert found.trials[0] is found.trials[1] is found.trials[2]
    assert len({id(cost) for cost in found.trials}) == 90


def test_what_a_trial_costs_does_not_depend_on_its_company() -> None:
    grid = full_grid()
    found = sweep_cost(grid, NODE)
    for at in (0, 100, 269):
        assert found.trials[at] == trial_cost(grid[at], NODE)


def test_a_base_model_is_measured_once_however_many_trials_start_from_it() -> None:
    measured = evaluations((0, 100))
    trials = [trial("qwen2.5-7b", seed=s, measured=measured) for s in range(5)]
    assert sweep_cost(trials, NODE).base == sweep_cost(trials[:1], NODE).base
    other = trial("qwen2.5-1.5b", measured=measured)
    assert sweep_cost([*trials, other], NODE).base.mid > sweep_cost(trials, NODE).base.mid


def test_wall_clock_is_the_even_share_or_the_longest_trial() -> None:
    long, short = trial("qwen2.5-7b"), trial("qwen2.5-0.5b")
    alone = sweep_cost([long], NODE).wall_hours
    assert alone
    assert alone.mid == pytest.approx(trial_cost(long, NODE).wall_hours)  # 4 of 8 GPUs
    many = sweep_cost([short] * 80, NODE)
    assert many.wall_hours
    assert many.wall_hours.mid == pytest.approx(many.hours.mid / 8)
    assert sweep_cost([long], profile(None)).wall_hours is None


def test_a_cpu_sweep_is_told_in_hours_of_processes_and_its_concurrency() -> None:
    laptop = Catalog().get(ComputeProfile, "laptop")
    card, batch = Catalog().get(ModelCard, "pocket-llama"), Batch(prompts=16, num_generations=8)
    trials = [trial(card, rounds=40, batch=batch, seed=s) for s in range(6)]
    found = sweep_cost(trials, laptop)
    assert found.unit == "CPU-hours"
    assert found.wall_hours
    assert found.wall_hours.mid == pytest.approx(found.hours.mid / 2)
    assert found.usd is None
    assert found.downloads == {}


def test_money_is_hours_times_the_price() -> None:
    found = sweep_cost([trial("qwen2.5-7b")], NODE)
    assert found.usd
    assert found.usd.mid == pytest.approx(2.5 * found.hours.mid)
    assert sweep_cost([trial("qwen2.5-7b")], profile(8)).usd is None


def test_disk_is_everything_at_the_end_and_what_is_fetched() -> None:
    trials = [trial(n, seed=s) for n in ("qwen2.5-0.5b", "qwen2.5-1.5b") for s in (0, 1)]
    found = sweep_cost(trials, NODE, fetched=["qwen2.5-0.5b"])
    assert found.downloads == {"qwen2.5-1.5b": 2 * 1_543_714_304}
    assert found.disk.checkpoint == 2 * 4 * (494_032_768 + 1_543_714_304)
    running = 2 * 12 * 1_543_714_304  # two checkpoints of the largest of one trial at a time
    assert found.running_bytes == running
    assert found.peak_bytes == found.disk.total + 2 * 1_543_714_304 + running


def test_sources_of_rates_are_told_together() -> None:
    trials = [trial("qwen2.5-0.5b"), trial("qwen2.5-1.5b")]
    found = sweep_cost(trials, NODE, {"qwen2.5-0.5b": Rate(5000, "measured here, n=4", 4)})
    assert found.train.source == "measured here, n=4; H100 table"
    assert found.worst_loss == found.trials[1].loss


def test_a_node_that_dies_costs_all_trials_that_run_on_it() -> None:
    small, wide = trial("qwen2.5-0.5b"), trial("qwen2.5-7b")
    full = profile(8, concurrency=8)
    found = sweep_cost([small] * 20, full)
    assert found.node_loss[0] == 8
    assert found.node_loss[1].mid == pytest.approx(8 * found.worst_loss.mid)
    assert sweep_cost([small] * 3, full).node_loss[0] == 3
    assert sweep_cost([small] * 20, profile(64, concurrency=64)).node_loss[0] == 8
    assert sweep_cost([wide] * 4, full).node_loss[0] == 2  # of 4 GPUs each
    mixed = sweep_cost([small, wide] * 4, full)
    assert mixed.node_loss[1].mid == pytest.approx(2 * mixed.worst_loss.mid)


def test_a_trial_over_several_nodes_is_lost_whole() -> None:
    found = sweep_cost([trial("qwen2.5-32b")] * 2, profile(64, concurrency=64))
    assert found.trials[0].placement.nodes > 1
    assert found.node_loss == (1, found.worst_loss)


def test_what_does_not_fit_cannot_be_lost() -> None:
    found = sweep_cost([trial("qwen2.5-32b"), trial("qwen2.5-0.5b")], profile(8, concurrency=8))
    assert found.worst_loss == found.trials[1].loss
    assert found.node_loss == (1, found.worst_loss)


def test_what_the_kept_files_foreclose_is_said() -> None:
    told = forecloses([trial("qwen2.5-0.5b", measured=evaluations((0, 100)))])
    assert any("last round" in line for line in told)
    assert any("k = 32" in line for line in told)
    assert any("another grader" in line for line in told)
    assert forecloses([]) == ()


def test_ten_thousand_trials_are_priced_in_a_moment() -> None:
    grid = full_grid()
    cells = [{**t.cell, "grpo.learning_rate": rate} for rate in range(38) for t in grid]
    trials = [
        t.model_copy(update={"cell": cell}) for t, cell in zip(grid * 38, cells, strict=True)
    ][:10_000]
    started = time.process_time()
    found = sweep_cost(trials, NODE)
    seconds = time.process_time() - started
    print(f"\n{seconds:.3f} s of CPU")
    assert len(found.trials) == 10_000
    assert seconds < 0.5  # 0.06 s on a quiet core
