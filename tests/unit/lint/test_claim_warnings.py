"""A plan warns of claims that its seeds cannot decide and of comparisons that mix two causes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.support.claims import claim
from tests.support.study_cards import manifest
from zoo.claims.comparisons import cells_of
from zoo.claims.planned_power import powers
from zoo.lint.card_warnings import card_warnings
from zoo.lint.claim_warnings import claim_warnings, family
from zoo.lint.plan_warning import PlanWarning
from zoo.manifest.claim_schema import Claim
from zoo.trials.metrics import metrics_of
from zoo.trials.trial import Trial

ACC = "eval/free/acc/t1.0"
TWO = {"model": ["pocket-llama", "pocket-qwen2"], "reward": ["right", "strict"]}


def warned(trials: list[Trial], *claims: Claim) -> list[PlanWarning]:
    """Warnings about claims over trials."""
    cells, seeds = cells_of(trials), len({trial.seed for trial in trials})
    return claim_warnings(claims, trials, powers(claims, cells, seeds, metrics_of(trials)))


def about(text: str, **said: Any) -> Claim:
    """A claim about accuracy on `free`."""
    return claim(text, metric=ACC, **said)


def test_claims_that_are_decidable_and_clean_are_not_warned_of(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO)
    claims = (
        about("{id: a, compare: {reward: [strict, right]}, for_each: [model]}"),
        about("{id: b, compare: {reward: [strict, right]}, differs_by: model}"),
        about("{id: c, kind: gain, for_each: [model]}"),
    )
    assert warned(trials, *claims) == []


def test_one_seed_decides_nothing(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO, seeds=[0])
    (found,) = warned(trials, about("{id: a, kind: gain, for_each: [model, reward]}"))
    assert (found.id, found.where) == ("seeds-cannot-decide", "claim a")
    assert found.text.startswith(
        "1 seed cannot decide it: one seed shows no seed noise; 2 seeds would detect "
    )


def test_a_margin_below_what_is_detected_says_how_many_seeds_would_do(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO)
    said = "{id: a, compare: {reward: [strict, right]}, for_each: [model], expect: "
    (found,) = warned(trials, about(said + "{lower_by: 2}}"))
    assert found.text == (
        "3 seeds detect 5.6 points, so `lower_by: 2` needs a true effect of 7.6 points; "
        "12 seeds are enough for `lower_by: 2`"
    )
    (equal,) = warned(trials, about(said + "{equal_within: 1}}"))
    assert equal.text.startswith("3 seeds show equality within 6.4 points at best, not")
    (tight,) = warned(trials, about(said + "{not_worse_than: 1}}"))
    assert "so `not_worse_than: 1` needs one that is truly better by 4.6 points" in tight.text


def test_a_rate_over_few_trials_is_warned_of(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO, seeds=[0, 1])
    event = "event: {metric: train/completions/clipped_ratio, above: 0.5}"
    said = f"{{id: a, compare: {{reward: [strict, right]}}, {event}, for_each: [model]}}"
    (found,) = warned(trials, claim(said))
    assert found.text.startswith("2 seeds find no difference of rates, however large; 3 seeds")


def test_a_length_without_records_asks_for_a_few_trials_first(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO)
    said = claim("{id: a, kind: gain}", metric="eval/free/mean_length/t1.0")
    again = claim("{id: b, kind: gain, for_each: [model]}", metric="eval/free/mean_length/t0")
    (found,) = warned(trials, said, again)
    assert (found.id, found.where) == ("spread-unknown", "claims a, b")
    assert found.text == (
        "no seed noise of eval/free/mean_length/t1.0, eval/free/mean_length/t0 is known, so it is "
        "unknown what 3 seeds decide; run two seeds of a few cells first"
    )


def test_verdicts_that_fall_short_are_counted(tmp_path: Path) -> None:
    _, trials = manifest(
        tmp_path,
        grid=TWO,
        exclude=[{"model": "pocket-llama", "reward": "strict", "why": "saves time"}],
    )
    said = "{id: a, kind: gain, for_each: [model], expect: {higher_by: 2}}"
    (found,) = warned(trials, claim(said, metric="eval/free/acc/t0"))
    assert found.where == "claim a, 1 of 2 verdicts"


def test_a_base_that_is_known_too_badly_asks_for_more_samples(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO)
    (found,) = warned(trials, about("{id: a, kind: gain, expect: {higher_by: 1}}"))
    assert found.text.endswith(
        "; more seeds alone are not enough: the base model is evaluated once; take more `samples`"
    )


def test_an_override_that_moves_with_the_axis_is_a_confound(tmp_path: Path) -> None:
    _, trials = manifest(
        tmp_path,
        grid=TWO,
        overrides=[{"when": {"reward": "strict"}, "set": {"grpo.beta": 0.1, "prompt": "boxed"}}],
    )
    (found,) = warned(trials, about("{id: a, compare: {reward: [strict, right]}}"))
    assert (found.id, found.where) == ("confounded", "claim a")
    assert found.text == (
        "cells compared along reward also differ in prompt (boxed and pocket), "
        "grpo.beta (0.1 and 0.0); give them one value (`overrides`), or name both in the claim"
    )


def test_a_confound_in_some_pairs_says_in_how_many(tmp_path: Path) -> None:
    when = {"reward": "strict", "model": "pocket-llama"}
    _, trials = manifest(
        tmp_path, grid=TWO, overrides=[{"when": when, "set": {"grpo.learning_rate": 1e-5}}]
    )
    (found,) = warned(trials, about("{id: a, compare: {reward: [strict, right]}}"))
    assert "grpo.learning_rate (1e-05 and 0.0003) in 1 of 2 pairs" in found.text


def test_cards_move_prompt_kl_and_cap_with_the_model(tmp_path: Path) -> None:
    models = {"model": ["llama", "qwen-math"], "reward": ["right"]}
    _, trials = manifest(tmp_path, grid=models)
    (found,) = warned(trials, about("{id: a, compare: {model: [llama, qwen-math]}}"))
    assert "prompt (plain and boxed), grpo.beta (0.0 and 0.001)" in found.text
    _, same = manifest(tmp_path, grid=models | {"prompt": ["plain"]}, grpo={"beta": 0.0})
    assert warned(same, about("{id: a, compare: {model: [llama, qwen-math]}}")) == []


def test_the_studys_own_interaction_is_confounded_by_the_prompt(tmp_path: Path) -> None:
    """Its format ablation sets a model whose prompt asks for a box against one that does not."""
    _, trials = manifest(tmp_path, grid={"model": ["llama", "qwen"], "reward": ["right", "strict"]})
    said = about("{id: a, compare: {reward: [strict, right]}, differs_by: model}")
    (found,) = warned(trials, said)
    assert found.text.startswith("differences compared along model also differ in prompt (plain")


def test_axes_that_move_together_are_a_confound(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO | {"data": ["easy", "clean"]})
    pairs = {("pocket-llama", "easy"), ("pocket-qwen2", "clean")}
    zipped = [t for t in trials if (t.model.name, t.data.name) in pairs]
    (found,) = warned(zipped, about("{id: a, compare: {model: [pocket-llama, pocket-qwen2]}}"))
    assert "along model also differ in data (easy and clean)" in found.text


def test_arms_with_more_completions_are_not_compute_matched(tmp_path: Path) -> None:
    axis = {"model": ["pocket-llama"], "batch.num_generations": [8, 16]}
    _, trials = manifest(tmp_path, grid=axis)
    said = about("{id: a, compare: {batch.num_generations: [16, 8]}}")
    other = about("{id: b, compare: {batch.num_generations: [8, 16]}}")
    (found,) = warned(trials, said, other)
    assert (found.id, found.where) == ("compute-not-matched", "claims a, b")
    assert found.text == (
        "arms compared along batch.num_generations train on different numbers of completions "
        "(1,280 to 2,560), which may cause the difference"
    )
    halved = [{"when": {"batch.num_generations": 16}, "set": {"batch.prompts": 8}}]
    _, matched = manifest(tmp_path, grid=axis, overrides=halved)
    assert warned(matched, said) == []


def test_a_recipe_is_its_settings_and_a_pinned_micro_batch_belongs_to_its_loss(
    tmp_path: Path,
) -> None:
    recipes = tmp_path / "cards" / "recipes"
    recipes.mkdir(parents=True)
    (recipes / "other.yaml").write_text(
        "schema: recipe/1\nname: other\nbatch: {prompts: 16, num_generations: 8}\n"
        "grpo: {beta: 0.5, learning_rate: 1.0e-6, max_completion_length: from-card}\n"
    )
    _, trials = manifest(tmp_path, grid={"model": ["pocket-llama"], "recipe": ["pocket", "other"]})
    assert warned(trials, about("{id: a, compare: {recipe: [other, pocket]}}")) == []
    _, trials = manifest(
        tmp_path,
        grid={"model": ["pocket-llama"], "grpo.loss_type": ["dapo", "bnpo"]},
        overrides=[{"when": {"grpo.loss_type": "bnpo"}, "set": {"batch.micro_batch": 2}}],
    )
    assert warned(trials, about("{id: a, compare: {grpo.loss_type: [bnpo, dapo]}}")) == []


def test_a_claim_about_rewards_on_one_family_is_warned_of(tmp_path: Path) -> None:
    one = {"model": ["qwen", "qwen-math"], "reward": ["right", "strict"]}
    _, trials = manifest(tmp_path, grid=one)
    claims = (
        about("{id: a, compare: {reward: [strict, right]}, for_each: [model]}"),
        about("{id: b, order: {reward: [right, strict]}}"),
        about("{id: c, kind: gain}"),
    )
    (found,) = warned(trials, *claims)
    assert (found.id, found.where) == ("one-family", "claims a, b")
    assert "on qwen models only" in found.text
    assert {family(trial.model) for trial in trials} == {"qwen"}
    _, trials = manifest(tmp_path, grid=one | {"model": ["qwen", "llama"]})
    assert [w.id for w in warned(trials, claims[0])] == []


def test_ten_thousand_trials_are_looked_at_in_a_moment(tmp_path: Path) -> None:
    axes = {
        "model": ["llama", "qwen", "qwen-math", "endless"],
        "reward": ["right", "strict"],
        "data": ["easy", "hard", "mixed", "clean"],
    }
    _, some = manifest(tmp_path, grid=axes, seeds=[0])
    trials = [
        trial.model_copy(update={"cell": trial.cell | {"grpo.x": i}, "seed": seed})
        for trial in some
        for i in range(100)
        for seed in range(3)
    ]
    claims = [
        about(f"{{id: c{i}, compare: {{reward: [strict, right]}}, for_each: [model]}}")
        for i in range(5)
    ]
    start = time.perf_counter()
    assert card_warnings(trials)
    assert warned(trials, *claims) == []
    assert time.perf_counter() - start < 5.0  # 0.2 s on an idle core


def test_a_margin_that_only_the_correction_puts_out_of_reach_is_told_once(tmp_path: Path) -> None:
    _, trials = manifest(tmp_path, grid=TWO)
    said = "compare: {reward: [strict, right]}, for_each: [model], expect: "
    claims = [
        about(f"{{id: a, {said}{{equal_within: 8}}}}"),
        about(f"{{id: b, {said}{{equal_within: 8}}}}"),
        about(f"{{id: c, {said}{{not_worse_than: 7}}}}"),
        about(f"{{id: d, {said}{{not_worse_than: 19}}}}"),
    ]
    equal, loss = warned(trials, *claims)
    assert (equal.id, equal.where) == ("margin-out-of-reach", "claims a, b")
    assert equal.text == (
        "after the correction for 8 verdicts 3 seeds show equality within 11.2 points at best (80 "
        "% power), not `equal_within: 8`; take 4 seeds, fewer claims or a wider margin"
    )
    assert (loss.id, loss.where) == ("margin-out-of-reach", "claim c")
    assert "3 seeds detect 10.3 points at best (80 % power), not `not_worse_than: 7`" in loss.text
    assert warned(trials, claims[0]) == warned(trials, claims[3]) == []
