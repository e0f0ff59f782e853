"""Scores by problem: sampling noise of a base model, and intervals over problems as well."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean, variance

import pytest

from tests.support.claims import claim
from tests.support.simulated import Sweep, make
from zoo.catalog import Catalog
from zoo.data import LocalResolver
from zoo.judging.effects import axis_effects, cell_means
from zoo.judging.judge import verdicts
from zoo.judging.numbers import Numbers
from zoo.judging.problem_scores import ScoreReader, problem_variance
from zoo.judging.values import key, values_of
from zoo.launching.task import write_task
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.runs import outcome
from zoo.store.parquet import read_parquet
from zoo.train.entry import run
from zoo.trials.metrics import metrics_of

ACC, PASS = "eval/pocket-easy/acc/t1.0", "eval/pocket-easy/pass2/t1.0"
BOXED = "eval/pocket-easy/acc_boxed/t1.0"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    """Two models, one reward, three seeds, 20 problems of four samples each; all done."""
    folder = tmp_path_factory.mktemp("problems")
    made = make(folder, rewards="correctness", seeds="0, 1, 2", problems=20)
    text = made.manifest.path.read_text().replace("problems: 20", "problems: 20, samples: 4")
    made.manifest.path.write_text(text)
    manifest = load(made.manifest.path)
    made = replace(made, manifest=manifest, trials=expand(manifest, Catalog(), LocalResolver()))
    for task in made.tasks():
        assert run(write_task(task)) == 0
    return made


def numbers(sweep: Sweep, *, stored: bool = True) -> Numbers:
    """The numbers of the sweep, with scores by problem or without."""
    metrics, reader = metrics_of(sweep.trials), ScoreReader(sweep.store) if stored else None
    found = [outcome.load(trial, sweep.store) for trial in sweep.trials]
    return Numbers([values_of(one, metrics, reader) for one in found], metrics)


def rates(sweep: Sweep, seed_cell: int, round_: int) -> list[float]:
    """By hand: the share of right responses to each problem of a trial."""
    found = outcome.load(sweep.trials[seed_cell], sweep.store)
    (measured,) = [m for m in found.measured if m.round == round_ and m.decoding == "t1.0"]
    words = read_parquet(sweep.store.verdicts(measured.score_id), ["verdict"])["verdict"]
    return [words[i : i + 4].count("correct") / 4 for i in range(0, len(words), 4)]


def test_base_has_the_sampling_noise_of_its_problems(sweep: Sweep) -> None:
    found, bound = numbers(sweep), numbers(sweep, stored=False)
    cell = key(sweep.trials[0].cell)
    base, by_hand = found.base(cell, found.metrics[ACC]), rates(sweep, 0, 0)
    assert base is not None
    expected = sum(p * (1 - p) for p in by_hand) / 3 / 20**2
    assert base == (pytest.approx(100 * fmean(by_hand)), pytest.approx(100**2 * expected))
    share = fmean(by_hand)
    assert bound.base(cell, found.metrics[ACC]) == (
        pytest.approx(100 * share),
        pytest.approx(100**2 * share * (1 - share) / 80),
    )
    several = found.base(cell, found.metrics[PASS])  # no mean over single responses
    assert several == bound.base(cell, found.metrics[PASS])


def test_claim_of_gain_takes_the_noise_of_its_base_once(sweep: Sweep) -> None:
    said = claim("{kind: gain, for_each: [model], expect: {higher_by: 0}}", metric=ACC)
    found = numbers(sweep)
    first, _ = verdicts([said], found, {said.id: "sealed"})
    by_hand = rates(sweep, 0, 0)
    noise = math.sqrt(sum(p * (1 - p) for p in by_hand) / 3) / 20
    assert first.estimate is not None
    assert first.estimate.base == pytest.approx(100 * noise)


@pytest.mark.parametrize("metric", [ACC, BOXED, PASS])
def test_interval_over_problems_is_the_wider_one(sweep: Sweep, metric: str) -> None:
    found = numbers(sweep)
    for mean in cell_means(found, metric, found.cells, problems=True):
        for inner, outer in (
            (mean.interval, mean.problems_interval),
            (mean.gain_interval, mean.gain_problems_interval),
        ):
            assert inner is not None
            assert outer is not None
            assert outer[0] < inner[0] < inner[1] < outer[1]
    (effect,) = axis_effects(found, metric, "model", found.cells)
    assert effect.interval is not None
    assert effect.problems_interval is not None
    assert effect.problems_interval[0] < effect.interval[0]
    assert cell_means(found, metric, found.cells)[0].problems_interval is None


def test_interval_over_problems_pairs_them(sweep: Sweep) -> None:
    found = numbers(sweep)
    one, two = (key(cell) for cell in found.cells)
    means = [
        [fmean(values) for values in zip(*(rates(sweep, i, 3) for i in seeds), strict=True)]
        for seeds in (range(3), range(3, 6))
    ]
    apart = [b - a for a, b in zip(*means, strict=True)]
    error = found.over_problems({one: -1.0, two: 1.0}, {}, found.metrics[ACC])
    assert error == pytest.approx(100 * math.sqrt(variance(apart) / 20))


def test_scores_that_are_gone_leave_the_bound_and_no_second_interval(sweep: Sweep) -> None:
    found = outcome.load(sweep.trials[0], sweep.store)
    (base,) = [m for m in found.measured if m.round == 0 and m.decoding == "t1.0"]
    path = sweep.store.verdicts(base.score_id)
    kept = path.read_bytes()
    path.unlink()
    try:
        without, bound = numbers(sweep), numbers(sweep, stored=False)
        cell, metric = key(sweep.trials[0].cell), without.metrics[ACC]
        assert without.base(cell, metric) == bound.base(cell, metric)
        assert without.over_problems({cell: 1.0}, {cell: -1.0}, metric) is None
    finally:
        path.write_bytes(kept)


def test_variance_over_problems_of_an_average_is_that_of_its_parts() -> None:
    one, two = [0.0, 1.0, 1.0, 0.0], [0.5, 0.5, 1.0, None]
    parts = [(1.0, [one, two]), (-1.0, [[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])]
    expected = (variance(one) / 4 + variance([0.5, 0.5, 1.0]) / 3) / 4
    assert problem_variance(parts) == pytest.approx(expected)
    assert problem_variance([(1.0, [one]), (-1.0, None)]) is None
    assert problem_variance([(1.0, [one]), (-1.0, [[1.0]])]) is None
