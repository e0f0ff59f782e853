"""In which order trials start, and a sweep in simulated time."""

from __future__ import annotations

import random
from itertools import groupby, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.support import simulated
from tests.support.cli import zoo
from zoo.catalog import ComputeProfile
from zoo.resources import shape
from zoo.scheduling.gpu_nodes import GpuNodes
from zoo.scheduling.order import Extent, in_order, scheduled_hours
from zoo.scheduling.simulate import SimulatedTrial, bound, simulate
from zoo.trials.trial import Trial


def profile_of(gpus: int, per_node: int = 8, **settings) -> ComputeProfile:
    named = {"device": "cuda", "gpus": gpus, "gpus_per_node": per_node, "concurrency": gpus}
    return ComputeProfile.model_validate(
        {"schema": "profile/1", "name": "p", "gpus_per_trial": 1} | named | settings
    )


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """Three models, two rewards, four seeds, in the grid's order."""
    models = "pocket-qwen2, pocket-llama, pocket-mistral"
    return simulated.make(tmp_path, models=models, seeds="0, 1, 2, 3").trials


def extents_of(trials: list[Trial], seed: int, widest: int = 4) -> dict[str, Extent]:
    rng = random.Random(seed)
    widths = [2**n for n in range(5) if 2**n <= widest]
    return {t.id: Extent(rng.choice((1, 2, 5, 9)), rng.choice(widths)) for t in trials}


def jobs_of(
    trials: list[Trial], extents: dict[str, Extent], base_hours: float = 0
) -> list[SimulatedTrial]:
    jobs = [(trial, extents[trial.id]) for trial in trials]
    return [SimulatedTrial(t, e.gpus, e.hours, t.model.name, base_hours) for t, e in jobs]


def test_order_seeds_first_has_every_cell_once_before_a_second_seed(trials: list[Trial]) -> None:
    found = in_order(trials, "seeds-first", {}, profile_of(8))
    assert [seed for seed, _ in groupby(found, lambda trial: trial.seed)] == [0, 1, 2, 3]
    assert sorted(trial.id for trial in found) == sorted(trial.id for trial in trials)
    models = [trial.model.name for trial in found]
    assert len(set(models[:3])) == 3  # arms take turns
    assert models[:3] == models[3:6] == models[6:9]


@pytest.mark.parametrize("order", ["seeds-first", "longest-first"])
def test_order_starts_with_one_canary_of_every_shape(trials: list[Trial], order) -> None:
    for seed in range(5):
        found = in_order(trials, order, extents_of(trials, seed), profile_of(8))
        assert len({shape(trial) for trial in found[:3]}) == 3


def test_order_longest_first_takes_at_most_as_long_as_by_length_alone(trials) -> None:
    for seed in range(20):
        extents, profile = extents_of(trials, seed), profile_of(8)
        ours = in_order(trials, "longest-first", extents, profile)
        again = in_order(trials, "longest-first", extents, profile)
        assert [trial.id for trial in again] == [trial.id for trial in ours]
        canaries, rest = ours[:3], sorted(ours[3:], key=lambda t: -extents[t.id].hours)
        plain = scheduled_hours([extents[t.id] for t in [*canaries, *rest]], profile)
        assert scheduled_hours([extents[t.id] for t in ours], profile) <= plain + 1e-9


def test_simulation_takes_as_long_as_the_schedule_that_orders_are_chosen_by(trials) -> None:
    for seed in range(20):
        for profile in (profile_of(8), profile_of(16, 4), profile_of(4, concurrency=2)):
            extents = extents_of(trials, seed)
            found = simulate(jobs_of(trials, extents), profile)
            assert len(found.spans) == len(trials)
            hours = scheduled_hours([extents[trial.id] for trial in trials], profile)
            assert found.makespan == pytest.approx(hours)


def test_simulation_gives_no_gpu_to_two_trials_and_keeps_trials_on_a_node(trials) -> None:
    for seed in range(20):
        profile = profile_of(16, 4)
        found = simulate(jobs_of(trials, extents_of(trials, seed, widest=8), 0.5), profile)
        for gpu in range(16):
            held = sorted((s.start, s.end) for s in found.spans if gpu in s.gpus)
            assert all(a[1] <= b[0] + 1e-9 for a, b in pairwise(held))
        for span in found.spans:
            nodes = {gpu // 4 for gpu in span.gpus}
            assert len(nodes) == max(1, span.job.gpus // 4)


def test_simulation_never_ends_before_the_bound(trials: list[Trial]) -> None:
    for seed in range(50):
        jobs = jobs_of(trials, extents_of(trials, seed, widest=8), 0.25)
        least = bound(jobs, 8)
        found = simulate(jobs, profile_of(8))
        assert found.makespan >= least.hours - 1e-9, least.why


def test_simulation_measures_each_base_once_and_others_wait_for_it(trials: list[Trial]) -> None:
    same = dict.fromkeys((trial.id for trial in trials), Extent(10.0, 1))
    found = simulate(jobs_of(trials, same, 3.0), profile_of(32, 32))
    assert found.makespan == 13
    assert sum(span.waited for span in found.spans) == 3.0 * (len(trials) - 3)
    assert found.work == 10 * len(trials) + 3 * 3
    assert found.idle == 32 * 13 - found.work


def test_bound_of_trials_that_do_not_fit_side_by_side_is_their_sum(trials: list[Trial]) -> None:
    three = trials[:3]
    extents = {trial.id: Extent(6.0, 5) for trial in three}
    least = bound(jobs_of(three, extents), 8)
    assert least.hours == pytest.approx(12)
    assert "on one GPU" in least.why


def test_wide_trial_is_overtaken_and_not_for_ever(tmp_path: Path) -> None:
    trials = simulated.make(tmp_path, seeds=", ".join(map(str, range(20)))).trials
    wide, *narrow = trials
    extents = {t.id: Extent(1.0 + i / 100, 1) for i, t in enumerate(trials)}
    extents[wide.id] = Extent(1.0, 8)
    spans = simulate(jobs_of([narrow[0], wide, *narrow[1:]], extents), profile_of(8)).spans
    (at,) = (i for i, span in enumerate(spans) if span.job.trial is wide)
    assert 1 < at <= 17
    assert len(spans) == len(trials)


def test_nodes_give_the_node_that_is_filled_best() -> None:
    nodes = GpuNodes(profile_of(16))
    first = nodes.take(6)
    assert first == tuple(range(6))
    assert nodes.take(2) == (6, 7)
    assert nodes.take(4) == (8, 9, 10, 11)
    assert nodes.take(16) is None
    nodes.give(first)
    assert nodes.take(8) is None  # no node has so many


def test_plan_simulate_prints_each_order_and_draws_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).parents[3]
    words = (str(root / "experiments/node_week.yaml"), "--on", "h100x8", "--simulate")
    told = zoo("plan", *words, "--svg", "week.svg", "--order", "longest-first")
    assert told.status == 0
    rows = [line.split() for line in told.lines if line.startswith(("seeds", "longest", "grid o"))]
    assert [row[0] for row in rows] == ["seeds-first", "longest-first", "grid"]
    assert told.lines[-1].startswith("no order takes less than ")
    assert ElementTree.parse(tmp_path / "week.svg").getroot().tag.endswith("svg")
    assert [path.name for path in tmp_path.iterdir()] == ["week.svg"]
