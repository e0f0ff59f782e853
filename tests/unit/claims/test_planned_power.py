"""What a design can detect: against the design's own numbers, and against draws."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from tests.support.claims import ACC, FULL_GRID, STUDY, claim, grid, metrics
from tests.support.study_cards import manifest
from zoo.claims.measurement_noise import Spread
from zoo.claims.planned_power import Power, basis, lines, powers, powers_of
from zoo.manifest.claim_schema import Claim
from zoo.stats.contrasts import StudyCells
from zoo.stats.noise import assumed_points
from zoo.stats.power import PowerPart, detectable
from zoo.stats.proportions import detectable_rates
from zoo.trials.metrics import Metric, Series

CELLS = grid(**FULL_GRID)  # 90 cells, as experiments/full_grid.yaml
METRICS = metrics()
ONE_CELL = "{compare: {reward: [box-strict, correctness]}, for_each: [model, data], expect: "
ASSUMED = assumed_points(STUDY, 1.287)  # 1.57 points: one sampling of the six benchmarks


def model(
    *weights: float,
    spread: float = 1.3,
    seeds: int = 3,
    error: float = 0.05,
    miss: float = 0.2,
    base: float = 0.0,
) -> float:
    """What the statistics say of a sum of cells with these weights."""
    parts = [PowerPart((weight * spread) ** 2 / seeds, seeds - 1) for weight in weights]
    found = detectable(parts, error, miss, known=base)
    assert found is not None
    return found


def one(text: str, seeds: int = 3, spread: float | None = 1.3) -> Power:
    """The power of the first verdict of a claim in the full grid."""
    said = claim(text)
    given = {name: Spread(spread, "given") for name in said.metrics} if spread else None
    return powers([said], CELLS, seeds, METRICS, given)[0]


def test_what_is_planned_is_the_model_of_the_judge() -> None:
    """One cell a side has the degrees of freedom of its own seeds, not of all 90 cells'."""
    power = one(ONE_CELL + "{lower_by: 0}}", spread=None)
    assert power.spread == Spread(pytest.approx(ASSUMED, abs=1e-3), "assumed")
    assert power.detects == pytest.approx(model(1, -1, spread=ASSUMED), rel=1e-3)
    assert power.detects == pytest.approx(3.4 * ASSUMED, rel=0.05)
    assert power.needs == power.detects
    assert power.enough


def test_a_margin_of_two_needs_a_true_effect_of_six() -> None:
    power = one(ONE_CELL + "{lower_by: 2}}")
    assert power.needs == pytest.approx(2 + model(1, -1))
    assert not power.enough
    enough = power.seeds_enough
    assert enough == 8
    assert power.effect(enough - 1) > 2 >= power.effect(enough)  # type: ignore[operator]


def test_pooling_over_three_buckets_detects_less() -> None:
    pooled = one("{compare: {reward: [box-strict, correctness]}, for_each: [model]}")
    alone = one(ONE_CELL + "{lower_by: 0}}")
    assert pooled.cells == 3
    assert pooled.detects == pytest.approx(model(*[1 / 3] * 6))
    assert (pooled.detects or 0) < (alone.detects or 0) / math.sqrt(3)


def test_an_interaction_has_four_groups() -> None:
    text = (
        "{compare: {reward: [box-strict, correctness]}, differs_by: model, "
        "where: {model: [m0, m1]}}"
    )
    assert one(text).detects == pytest.approx(model(*[1 / 3] * 12))


GAIN = "{kind: gain, for_each: [model], where: {reward: correctness}}"  # three cells of one base
SAMPLING = 1.287  # noise of one sampling of the study's six benchmarks, in points


def test_a_gain_has_the_noise_of_its_base_which_no_seed_lowers() -> None:
    power = one(GAIN)
    assert power.base == pytest.approx(SAMPLING, abs=1e-3)
    assert power.detects == pytest.approx(model(*[1 / 3] * 3, base=power.base))
    assert (power.effect(1000) or 0) > 2.8 * SAMPLING
    narrow = one(GAIN.replace("}}", "}, expect: {higher_by: 2}}"))
    assert not narrow.enough
    assert narrow.seeds_enough is None


def test_cells_of_one_model_share_a_base_and_those_of_another_do_not() -> None:
    whole = one("{kind: gain}")  # 90 cells, nine of each of ten models
    assert whole.base == pytest.approx(one(GAIN).base / math.sqrt(10))
    lopsided = one("{kind: gain, where: {model: [m0, m1], reward: correctness}}")
    assert lopsided.base == pytest.approx(one(GAIN).base * math.sqrt(1 / 2))
    prompts = grid(model=["m0"], prompt=["simple", "boxed"])
    (two,) = powers([claim("{kind: gain}")], prompts, 3, METRICS)
    assert two.base == pytest.approx(one(GAIN).base * math.sqrt(1 / 2))


def test_a_greedy_base_is_the_same_every_time() -> None:
    greedy = Series(METRICS[ACC].series.rounds, STUDY, sampled=False)
    known = METRICS | {ACC: Metric(ACC, (ACC,), greedy, 100)}
    (power, *_) = powers([claim(GAIN)], CELLS, 3, known)
    assert power.base == 0
    greedy_spread = assumed_points(STUDY)
    assert power.detects == pytest.approx(model(*[1 / 3] * 3, spread=greedy_spread))


def test_a_base_of_unknown_noise_is_taken_to_vary_as_seeds_do() -> None:
    length = "eval/avg6/mean_terminated_length/t1.0"
    power = one(GAIN.replace("}}", f"}}, metric: {length}}}"), spread=50.0)
    assert (power.base, power.measure) == (50.0, "tokens")


def test_a_base_is_what_it_is_measured_under(tmp_path: Path) -> None:
    """Not only model and prompt: an override of the cap makes it another measurement."""
    said = {"id": "g", "says": "It gains.", "kind": "gain", "metric": "eval/free/acc/t1.0"}
    grid_ = {"model": ["pocket-llama"], "reward": ["right", "strict"]}
    when = [{"when": {"reward": "strict"}, "set": {"grpo.max_completion_length": 32}}]
    claims = [said | {"expect": {"higher_by": 0}}]
    made, trials = manifest(tmp_path, grid=grid_, claims=claims)
    (shared,) = powers_of(made.experiment, trials)
    made, trials = manifest(tmp_path, grid=grid_, claims=claims, overrides=when)
    (apart,) = powers_of(made.experiment, trials)
    assert apart.base == pytest.approx(shared.base / math.sqrt(2))


def external(folder: Path, decoding: str, seeds: list[int], **expect: float) -> Power:
    """The power of a gain of one checkpoint that was trained elsewhere; 500 problems."""
    cards = folder / "cards" / "models"
    cards.mkdir(parents=True, exist_ok=True)
    (cards / "after.yaml").write_text(
        "schema: model/1\nname: after\nrepo: org/after\nprompt: plain\ncap: 8192\nbase: qwen\n"
    )
    said = {"id": "g", "says": "It gains.", "kind": "gain", "metric": f"eval/free/acc/{decoding}"}
    made, trials = manifest(
        folder,
        trainer="external",
        grid={"model": ["after"]},
        seeds=seeds,
        claims=[said | {"expect": expect or {"higher_by": 0}}],
    )
    (power,) = powers_of(made.experiment, trials)
    return power


def test_seeds_of_a_checkpoint_from_elsewhere_only_sample_it_again(tmp_path: Path) -> None:
    """Both sides have the noise of 500 responses, which is known, so one seed is enough."""
    noise, z = 100 * math.sqrt(0.09 / 500), 1.959964 + 0.841621
    once = external(tmp_path, "t1.0", [0], higher_by=2)
    assert once.detects == pytest.approx(z * noise * math.sqrt(2), rel=1e-5)
    thrice = external(tmp_path, "t1.0", [0, 1, 2])
    assert thrice.detects == pytest.approx(z * noise * math.sqrt(1 + 1 / 3), rel=1e-5)
    assert once.seeds_enough is None  # the base is not measured again
    assert lines([once])[1].startswith("  1 seed detects 5.3 points")
    assert basis([once]).endswith("spread 1.3 points, sampling of 500 responses")


def test_greedy_checkpoints_from_elsewhere_do_not_vary_at_all(tmp_path: Path) -> None:
    power = external(tmp_path, "t0", [0])
    assert power.detects == 0
    assert power.enough
    assert lines([power])[1] == (
        "  greedy responses are the same every time: any difference counts, on these problems"
    )
    assert basis([power]) == ""


def test_a_trend_gains_by_its_rounds() -> None:
    """Over two measurements it is the last less the first; over 21 it is surer."""
    rounds = metrics()[ACC].series.rounds
    n = len(rounds)
    power = one("{kind: trend, where: {model: m0, reward: correctness, data: hard}}")
    rise = math.sqrt(12 * (n - 1) / (n * (n + 1)))  # equally spaced rounds
    assert power.detects == pytest.approx(model(rise))
    ends = Series((0, 100), STUDY)
    said = claim("{kind: trend, where: {model: m0, reward: correctness, data: hard}}")
    known = METRICS | {ACC: Metric(ACC, (ACC,), ends, 100)}
    (two,) = powers([said], CELLS, 3, known, {ACC: Spread(1.3, "given")})
    assert two.detects == pytest.approx(model(math.sqrt(2)))


def test_an_ordering_must_hold_at_every_step() -> None:
    power = one("{order: {data: [easy, medium, hard]}, for_each: [model, reward]}")
    assert power.detects == pytest.approx(model(1, -1, miss=0.1))


def test_a_crossover_must_hold_at_every_k() -> None:
    power = one(
        "{kind: crossover, metric: 'eval/aime24/pass{k}/t1.0', k: [1, 2, 4, 8], "
        "expect: {not_before: 16}, where: {model: m0, reward: correctness, data: hard}}"
    )
    assert power.base == pytest.approx(100 * math.sqrt(0.09 * 8 / (30 * 32)))  # pass@8 of 32
    assert power.detects == pytest.approx(model(1, miss=0.05, base=power.base))
    assert power.needs == power.detects


def test_a_rate_is_counted_in_trials() -> None:
    """Two shares near one half: beyond 40 trials a side n = (z + z)^2 2 p (1 - p) / d^2, below it
    the exact test."""
    event = "event: {metric: train/completions/clipped_ratio, above: 0.5}"
    power = one(f"{{compare: {{data: [hard, easy]}}, {event}}}", spread=None)
    assert power.cells == 30
    assert power.detects == pytest.approx(100 * 2.8016 * math.sqrt(0.5 / 90), rel=1e-3)
    assert power.measure == "points"
    few = one(f"{{compare: {{data: [hard, easy]}}, {event}, for_each: [model, reward]}}", seeds=1)
    assert few.detects is None  # one trial a side: not even 0 against 100 %
    assert few.seeds_enough == 3
    assert few.effect(3) == detectable_rates(3, 3, 0.05, 0.2) == pytest.approx(92.7, abs=0.05)


def test_equality_is_a_margin_that_can_be_shown() -> None:
    power = one(ONE_CELL + "{equal_within: 2}}")
    assert power.detects == pytest.approx(model(1, -1, miss=0.1))
    assert power.needs is None
    assert not power.enough
    assert one(ONE_CELL + "{equal_within: 6}}").enough


def test_a_wide_enough_allowance_holds_in_spite_of_a_small_loss() -> None:
    tight, wide = (one(ONE_CELL + f"{{not_worse_than: {x}}}}}") for x in (1, 5))
    assert tight.needs == pytest.approx(model(1, -1) - 1)
    assert wide.needs == pytest.approx(model(1, -1) - 5) == pytest.approx(-0.5, abs=0.1)
    assert (tight.enough, wide.enough) == (False, True)


def test_one_seed_has_no_spread_of_its_own() -> None:
    power = one(ONE_CELL + "{lower_by: 0}}", seeds=1)
    assert power.detects is None
    assert power.needs is None
    assert not power.enough
    assert power.one_more == pytest.approx(model(1, -1, seeds=2))
    assert power.seeds_enough == 2


def test_the_correction_is_over_all_sealed_verdicts() -> None:
    claims = [
        claim("{id: a, compare: {reward: [box-strict, correctness]}, for_each: [model]}"),
        claim("{id: b, kind: gain, for_each: [model]}"),
    ]
    found = powers(claims, CELLS, 3, METRICS)
    assert len(found) == 20
    assert {power.verdicts for power in found} == {20}
    corrected = model(*[1 / 3] * 6, spread=ASSUMED, error=0.05 / 20)
    assert found[0].corrected == pytest.approx(corrected, rel=1e-3)
    (alone,) = powers([claim("kind: gain")], CELLS, 3, METRICS)
    assert alone.corrected == alone.detects


def test_a_length_without_records_says_that_it_does_not_know() -> None:
    text = "{kind: trend, metric: eval/avg6/mean_terminated_length/t1.0, for_each: [model]}"
    power = one(text, spread=None)
    assert power.detects is power.one_more is power.seeds_enough is None
    _, line = lines([power])
    assert line == (
        "  cannot estimate what 3 seeds detect; no seed noise of "
        "eval/avg6/mean_terminated_length/t1.0 is known yet"
    )
    assert one(text, spread=50.0).measure == "tokens"


def test_the_plan_reads_what_is_claimed_and_then_what_can_be_found() -> None:
    claims = [
        claim(ONE_CELL + "{lower_by: 2}}", id="format-hurts", says="A box costs."),
        claim("{id: gains, kind: gain, expect: {not_worse_than: 1}}"),
        claim("{id: same, compare: {data: [hard, easy]}, expect: {equal_within: 1}}"),
    ]
    found = powers(claims, CELLS, 3, METRICS)
    assert basis(found) == "seed spread 1.6 points, assumed"
    assert lines(found) == [
        "A box costs. (format-hurts, 30 verdicts)",
        "  3 seeds detect 5.4 points (1 cell a side); 4 would detect 4.0 points; 15.0 points after "
        "correction; `lower_by: 2` needs a true effect of 7.4 points",
        "So it is. (gains)",
        "  3 seeds detect 1.2 points (90 cells a side, base known to 0.4 points); 4 would detect "
        "1.2 points; 1.7 points after correction; `not_worse_than: 1` needs one that is truly "
        "better by 0.2 points",
        "So it is. (same)",
        "  3 seeds show equality within 0.8 points (30 cells a side); 4 would show equality within "
        "0.7 points; 1.1 points after correction",
    ]


def test_one_seed_reads_as_one() -> None:
    alone = powers([claim(ONE_CELL + "{lower_by: 2}}")], CELLS, 1, METRICS)
    assert lines(alone)[1] == "  1 seed cannot decide it; 2 would detect 12.7 points"
    event = "event: {metric: train/completions/clipped_ratio, above: 0.5}"
    rate = one(f"{{compare: {{data: [hard, easy]}}, {event}}}", seeds=1, spread=None)
    assert lines([rate])[1].startswith(
        "  1 seed detects 35.9 points (30 cells a side, shares near one half); 2 would detect"
    )


def test_what_all_numbers_rest_on_is_told_once() -> None:
    said = claim(ONE_CELL + "{lower_by: 0}}")
    found = powers([said], CELLS, 3, METRICS)
    assert basis(found) == "1 cell a side, seed spread 1.6 points, assumed"
    assert "(" not in lines(found)[1]
    event = "event: {metric: train/completions/clipped_ratio, above: 0.5}"
    rate = claim(f"{{id: r, compare: {{data: [hard, easy]}}, {event}}}")
    both = powers([said, rate], CELLS, 3, METRICS)
    assert basis(both) == basis(found)
    assert "(30 cells a side, shares near one half)" in lines(both)[3]


def test_verdicts_that_differ_in_power_get_lines_of_their_own() -> None:
    cells = [cell for cell in CELLS if cell["model"] != "m1" or cell["data"] == "hard"]
    said = claim("{compare: {reward: [box-strict, correctness]}, for_each: [model]}")
    head, *found = lines(powers([said], cells, 3, METRICS))
    assert head == "So it is. (c, 10 verdicts)"
    assert [line.split(":")[0] for line in found] == ["  m0, m2, m3 and 6 more", "  m1"]


def decided(
    said: Claim, cells: list[dict[str, Any]], seeds: int, effect: float, repeats: int
) -> float:
    """Share of synthetic studies whose interval excludes 0, where the claim's first side truly
    differs by `effect` from the other."""
    draw = random.Random(7)
    (power,) = powers([said], cells, seeds, METRICS, {ACC: Spread(1.3, "given")})
    (contrast,) = power.unit.contrasts
    weight = {id(c): side.sign / len(side.cells) for side in contrast for c in side.cells}
    shifted = {id(c) for c in contrast[0].cells}
    found = 0
    for _ in range(repeats):
        values = {
            id(cell): [draw.gauss(effect * (id(cell) in shifted), 1.3) for _ in range(seeds)]
            for cell in cells
        }
        estimate = StudyCells(values).estimate(weight)
        assert estimate is not None
        low, high = estimate.interval()
        found += low > 0 or high < 0
    return found / repeats


def test_draws_are_decided_as_often_as_stated() -> None:
    """Power 0.80 at the detectable effect, size at most 0.05 at none; a small study with few
    degrees of freedom, where the formula is least exact."""
    cells = grid(model=["a", "b"], reward=["x", "y"], data=["e", "h"])
    for text in (
        "{compare: {reward: [x, y]}}",
        "{compare: {reward: [x, y]}, where: {model: a, data: e}}",
    ):
        said = claim(text)
        (power,) = powers([said], cells, 3, METRICS, {ACC: Spread(1.3, "given")})
        assert power.detects is not None
        assert decided(said, cells, 3, power.detects, 2000) == pytest.approx(0.80, abs=0.03)
        assert decided(said, cells, 3, 0.0, 2000) < 0.06
