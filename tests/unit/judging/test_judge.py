"""Verdicts of a manifest's claims from numbers of its trials, without any sweep."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.claims import claim
from tests.support.simulated import make
from tests.support.study_cards import manifest
from zoo.judging.effects import axis_effects, cell_means
from zoo.judging.judge import ClaimVerdict, region, verdicts
from zoo.judging.numbers import Numbers
from zoo.judging.values import TrialValues, rise
from zoo.judging.verdict_text import notes, sentence
from zoo.manifest.claim_schema import Claim
from zoo.stats.verdicts import Region
from zoo.trials.trial import Trial

ACC = "eval/pocket-easy/acc/t0"
SAMPLED = "eval/pocket-easy/acc/t1.0"
CLIPPED = "train/completions/clipped_ratio"
TRIPWIRE = f"tripwires:\n  - {{metric: {CLIPPED}, above: 0.5, then: mark}}\n"
BOX = "{compare: {reward: [box-strict, correctness]}, for_each: [model], expect: {lower_by: 2}}"


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    """Two models x two rewards x four seeds."""
    return make(tmp_path, seeds="0, 1, 2, 3", more=TRIPWIRE).trials


def value(trial: Trial) -> float:
    """A final number: 60 points, 10 less for a strict box on qwen, seeds 1 point apart."""
    costs = trial.cell["reward"] == "box-strict" and trial.cell["model"] == "pocket-qwen2"
    return 60 - 10 * costs + trial.seed - 1.5


def numbers(trials: list[Trial], of: Callable[[Trial], float] = value, **changes: Any) -> Numbers:
    """All trials ended with their numbers at all metrics; the base model has 20 points."""
    return Numbers(
        [
            TrialValues(
                trial,
                final={name: of(trial) for name in (ACC, SAMPLED)},
                series={name: {0: 0.2, 3: of(trial) / 100} for name in (ACC, SAMPLED)},
                responses={ACC: 8, SAMPLED: 8},
                **changes,
            )
            for trial in trials
        ]
    )


def changed(found: Numbers, which: Callable[[Trial], bool], **changes: Any) -> Numbers:
    """The same with other words about some trials."""
    return Numbers([replace(r, **changes) if which(r.trial) else r for r in found.results])


def about(text: str, **said: Any) -> Claim:
    return claim(text, **({"metric": ACC} | said))


def judged(found: Numbers, *claims: Claim, standing: str = "sealed") -> list[ClaimVerdict]:
    return verdicts(claims, found, {said.id: standing for said in claims})


def test_claim_for_each_model_gets_a_verdict_for_each(trials: list[Trial]) -> None:
    qwen, llama = judged(numbers(trials), about(BOX))
    assert (qwen.label, qwen.word) == ("pocket-qwen2", "supported")
    assert qwen.effect == pytest.approx(-10)
    assert qwen.judged.interval[1] < -2
    assert qwen.n == 8
    assert (llama.label, llama.word) == ("pocket-llama", "undecided")
    assert llama.effect == pytest.approx(0)
    assert "`lower_by: 2` is claimed, and the interval lies wholly inside." in sentence(qwen)
    assert "reaches to both sides; these trials detect" in sentence(llama)


def test_claim_that_is_not_sealed_has_an_effect_and_no_verdict(trials: list[Trial]) -> None:
    early, late = about(BOX, id="early"), about(BOX, id="late")
    found = verdicts([early, late], numbers(trials), {"early": "sealed", "late": "exploratory"})
    assert [v.word for v in found] == ["supported", "undecided", None, None]
    assert found[2].effect == pytest.approx(-10)
    assert sentence(found[2]).endswith("but the claim is exploratory.")
    alone = judged(numbers(trials), early)  # others do not count in the correction
    assert [v.judged.level for v in alone] == [v.judged.level for v in found[:2]]


def test_comparison_with_a_running_trial_is_not_decided_yet(trials: list[Trial]) -> None:
    def running(trial: Trial) -> bool:
        return trial.cell["model"] == "pocket-qwen2" and trial.seed == 3

    found = changed(numbers(trials), running, ended=False, final={}, series={})
    qwen, llama = judged(found, about(BOX))
    assert (qwen.word, qwen.missing) == ("undecided", 2)
    assert qwen.effect is not None
    assert "2 of 8 trials have no number yet" in sentence(qwen)
    assert llama.missing == 0
    assert llama.judged.level == pytest.approx(1 - 0.05 / 2)  # both count in the correction


def test_collapsed_trials_are_set_apart_and_counted(trials: list[Trial]) -> None:
    def fell(trial: Trial) -> bool:
        return trial.cell["reward"] == "box-strict" and trial.seed == 0

    found = changed(numbers(trials), fell, collapsed=True, final={ACC: 0.0})
    qwen, _ = judged(found, about(BOX))
    assert qwen.effect == pytest.approx(-10 + 0.5)  # seeds 1, 2, 3 against all four
    assert qwen.n == 7
    assert [(arm.name, arm.collapsed, arm.ended) for arm in qwen.arms] == [
        ("box-strict", 1, 4),
        ("correctness", 0, 4),
    ]
    told = " ".join(notes(qwen))
    assert "box-strict: 1 of 4 trials collapsed (1 to 81 %)" in told
    assert "correctness: 0 of 4 trials collapsed (0 to 60 %)" in told
    assert "the interval is about trials that do not collapse" in told
    assert "unequal seeds" in told
    cell = cell_means(found, ACC, found.cells)[1]
    assert (cell.n, cell.collapsed) == (3, 1)
    assert cell.mean == pytest.approx(50.5)
    assert cell.mean_of_all == pytest.approx((3 * 50.5 + 0) / 4)


def test_one_trial_left_in_a_cell_has_no_verdict(trials: list[Trial]) -> None:
    def fell(trial: Trial) -> bool:
        return trial.cell["reward"] == "box-strict" and trial.seed < 3

    qwen, _ = judged(changed(numbers(trials), fell, collapsed=True), about(BOX))
    assert qwen.word == "undecided"
    assert "one trial that counts, which shows no seed noise" in sentence(qwen)


def test_gain_has_the_noise_of_its_base_once(trials: list[Trial]) -> None:
    said = about("{kind: gain, where: {reward: correctness}, for_each: [model]}")
    (greedy, _) = judged(numbers(trials), said)
    assert greedy.effect == pytest.approx(60 - 20)
    assert greedy.estimate is not None
    assert greedy.estimate.base == 0  # greedy responses are the same every time
    (sampled, _) = judged(numbers(trials), said.model_copy(update={"metric": SAMPLED}))
    assert sampled.estimate is not None
    assert sampled.estimate.base == pytest.approx(100 * math.sqrt(0.2 * 0.8 / 8))
    both = about("{kind: gain}", metric=SAMPLED)  # two bases, two cells of each
    (all_,) = judged(numbers(trials), both)
    assert all_.estimate is not None
    assert all_.estimate.base == pytest.approx(sampled.estimate.base / math.sqrt(2))


def test_gain_without_a_measured_base_has_no_estimate(trials: list[Trial]) -> None:
    found = changed(numbers(trials), lambda trial: True, series={})
    (gain,) = judged(found, about("{kind: gain}"))
    assert (gain.word, gain.effect) == ("undecided", None)
    assert sentence(gain).startswith("No estimate: ")


def test_interaction_and_ordering_are_judged(trials: list[Trial]) -> None:
    more = "{compare: {reward: [box-strict, correctness]}, differs_by: model}"
    down = "{order: {reward: [correctness, box-strict]}, where: {model: pocket-qwen2}}"
    interaction, ordering = judged(
        numbers(trials), about(more, expect={"lower_by": 0}, id="i"), about(down, id="o")
    )
    assert (interaction.word, interaction.effect) == ("supported", pytest.approx(-10))
    assert (ordering.word, ordering.effect) == ("supported", pytest.approx(10))


def test_trend_takes_one_line_a_trial(trials: list[Trial]) -> None:
    metric, rounds = CLIPPED, {1: 0.1, 2: 0.2, 3: 0.3}
    found = Numbers(
        [
            replace(
                r, series={metric: {at: v + 0.01 * r.trial.seed * at for at, v in rounds.items()}}
            )
            for r in numbers(trials).results
        ]
    )
    (trend,) = judged(found, about("{kind: trend}", metric=metric))
    assert trend.effect == pytest.approx(100 * (0.2 + 0.02 * 1.5))
    assert trend.word == "supported"
    assert trend.estimate is not None
    assert [cell.n for _, cell in trend.estimate.cells] == [4] * 4


def test_rate_counts_collapsed_trials_and_is_exact(trials: list[Trial]) -> None:
    def high(trial: Trial) -> bool:
        return trial.cell["reward"] == "box-strict"

    found = changed(numbers(trials), high, series={CLIPPED: {1: 0.1, 2: 0.9}}, collapsed=True)
    said = about(
        f"{{compare: {{reward: [box-strict, correctness]}}, "
        f"event: {{metric: {CLIPPED}, above: 0.5}}}}",
        metric=None,
    )
    (rate,) = judged(found, said)
    assert (rate.word, rate.effect, rate.n) == ("supported", 100, 16)
    assert "(exact 95 %: " in sentence(rate)
    assert "all of them count in the rate" in " ".join(notes(rate))


@pytest.mark.parametrize(
    ("text", "metric", "expected"),
    [
        ("{expect: {higher_by: 2}}", ACC, Region(low=2)),
        ("{expect: {lower_by: 2}}", ACC, Region(high=-2)),
        ("{expect: {equal_within: 2}}", ACC, Region(-2, 2)),
        ("{expect: {not_worse_than: 2}}", ACC, Region(low=-2)),
        ("{expect: {not_worse_than: 2}}", CLIPPED, Region(high=2)),
        (
            f"{{event: {{metric: {CLIPPED}, above: 0.5}}, expect: {{not_worse_than: 2}}}}",
            None,
            Region(high=2),
        ),
        (
            f"{{event: {{metric: {CLIPPED}, below: 0.5}}, expect: {{not_worse_than: 2}}}}",
            None,
            Region(low=-2),
        ),
    ],
)
def test_expectation_is_a_region_by_which_way_is_better(
    trials: list[Trial], text: str, metric: str | None, expected: Region
) -> None:
    compare = {"reward": ["box-strict", "correctness"]}
    said = about(text, compare=compare, metric=metric)
    assert region(said, numbers(trials).metrics[said.metrics[-1]]) == expected


def test_rise_is_that_of_the_fitted_line() -> None:
    assert rise({0: 1.0, 1: 2.0, 2: 3.0}, (0, 1, 2)) == pytest.approx(2)
    assert rise({0: 0.0, 5: 1.0, 10: 0.0}, (0, 5, 10)) == pytest.approx(0)
    assert rise({0: 1.0}, (0, 1)) is None


def test_effects_of_an_axis_are_over_matched_cells(trials: list[Trial]) -> None:
    found = numbers(trials)
    (effect,) = axis_effects(found, ACC, "reward", found.cells)
    assert (effect.value, effect.against) == ("box-strict", "correctness")
    assert (effect.pairs, effect.n) == (2, 16)
    assert effect.effect == pytest.approx(-5)
    assert effect.interval is not None
    assert effect.improvement == pytest.approx((0 + 0.5) / 2)
    lonely = [cell for cell in found.cells if cell["model"] != "pocket-llama"]
    assert axis_effects(found, ACC, "reward", lonely)[0].effect == pytest.approx(-10)
    assert axis_effects(found, ACC, "model", lonely) == []


def test_checkpoint_from_elsewhere_is_judged_by_its_sampling_alone(tmp_path: Path) -> None:
    """One seed is enough: the noise of 500 responses on both sides is known."""
    cards = tmp_path / "cards" / "models"
    cards.mkdir(parents=True, exist_ok=True)
    (cards / "after.yaml").write_text(
        "schema: model/1\nname: after\nrepo: org/after\nprompt: plain\ncap: 8192\nbase: qwen\n"
    )
    said = {"id": "g", "says": "It gains.", "kind": "gain", "expect": {"higher_by": 2}}
    name = "eval/free/acc/t1.0"
    made, (trial,) = manifest(
        tmp_path,
        trainer="external",
        grid={"model": ["after"]},
        seeds=[0],
        claims=[said | {"metric": name}],
    )
    found = TrialValues(trial, final={name: 50.0}, series={name: {0: 0.4}}, responses={name: 500})
    (gain,) = judged(Numbers([found]), *made.experiment.claims)
    assert gain.word == "supported"
    assert gain.estimate is not None
    assert gain.estimate.se == pytest.approx(100 * math.sqrt((0.25 + 0.24) / 500))
    assert math.isinf(gain.estimate.df)


def test_trials_that_are_all_alike_have_no_verdict(trials: list[Trial]) -> None:
    def alike(trial: Trial) -> float:
        return 100.0 if trial.cell["reward"] == "correctness" else 56.7

    qwen, _ = judged(numbers(trials, alike), about(BOX))
    assert (qwen.word, qwen.effect) == ("undecided", pytest.approx(-43.3))
    assert "most cells of the study show no seed noise" in sentence(qwen)
