"""The study as manifests: all of `experiments/` loads, expands, plans and can be rehearsed.

Numbers here are typed from the issue of each manifest and from arXiv:2503.18892, not computed from
the manifests, so that an edit which changes what a study runs has to be made twice.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from zoo.catalog import Catalog, ComputeProfile, RecipeCard
from zoo.claims.planned_power import powers_of
from zoo.errors import InputError
from zoo.lint.card_warnings import card_warnings
from zoo.lint.claim_warnings import claim_warnings, family
from zoo.manifest.load import Manifest, load
from zoo.planning.expand import expand
from zoo.resources import SweepCost, place, sweep_cost
from zoo.trials import rehearsal
from zoo.trials.trial import Trial

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
NODE_WEEK_H = 8 * 7 * 24  # GPU-hours of eight GPUs in a week
SCHEMA_LINE = "# yaml-language-server: $schema=../zoo/manifest/experiment.schema.json"

COUNTS = {  # cells, trials
    "ablation_difficulty": (6, 18),
    "ablation_format": (16, 48),
    "ablation_kl_lr": (27, 81),
    "ablation_prompt": (8, 24),
    "ablation_rollouts": (4, 12),
    "ablation_rollouts_matched": (5, 15),
    "ablation_temperature": (4, 32),
    "controls": (20, 60),
    "critics": (18, 90),
    "full_grid": (90, 270),
    "lora": (6, 18),
    "node_week": (60, 180),
    "paper": (10, 30),
    "pocket": (12, 12),
    "pocket_collapse": (2, 6),
    "pocket_study": (27, 81),
    "pocket_study_short": (12, 36),
    "released": (10, 10),
    "smoke_0.5b": (1, 1),
}
OWN_BUCKET = {  # arXiv:2503.18892 B.1
    "mistral-7b": "simplerl-easy",
    "llama-3.1-8b": "simplerl-easy",
    "deepseek-math-7b": "simplerl-easy",
    "mistral-small-24b": "simplerl-hard",
    "qwen2.5-0.5b": "simplerl-medium",
    "qwen2.5-1.5b": "simplerl-hard",
    "qwen2.5-7b": "simplerl-hard",
    "qwen2.5-14b": "simplerl-hard",
    "qwen2.5-32b": "simplerl-hard",
    "qwen2.5-math-7b": "simplerl-hard",
}
CLAIM_WARNINGS = {  # manifest -> (warning, claims) that it has to live with; the manifest says why
    "ablation_difficulty": {("spread-unknown", "qwen-shortens")},
    "ablation_kl_lr": {
        ("margin-out-of-reach", "not-too-small, not-too-large, not-too-tight, not-too-loose"),
    },
    "ablation_prompt": {("margin-out-of-reach", "boxed-spares-strong")},
    "ablation_rollouts_matched": {("margin-out-of-reach", "more-is-the-same")},
    "controls": {
        ("seeds-cannot-decide", "random-leaves-others"),
        ("margin-out-of-reach", "vote-comes-near"),
    },
    "ablation_rollouts": {
        ("compute-not-matched", "more-is-better, few-are-worse, fewest-is-worst"),
    },
    "critics": {("spread-unknown", "length-bias")},
    "lora": {("confounded", "lora-matches")},
    "paper": {("spread-unknown", "length-grows, length-stays")},
    "pocket": {
        ("seeds-cannot-decide", "gains"),
        ("seeds-cannot-decide", "hard-is-beyond"),
        ("seeds-cannot-decide", "strict-costs-the-weakest"),
    },
    "pocket_study_short": {("margin-out-of-reach", "strict-is-free-on-easy")},
}
POCKET_STUDY = {"pocket_study", "pocket_study_short"}
BOX_NOT_ASKED = {"ablation_format", "full_grid", "node_week", "pocket"} | POCKET_STUDY
ON_CPU = {
    "lora",
    "pocket",
    "pocket_collapse",
    "smoke_0.5b",
} | POCKET_STUDY  # in minutes, the study in an hour
each = pytest.mark.parametrize("name", sorted(COUNTS))


@cache
def catalog() -> Catalog:
    return Catalog()


@cache
def manifest(name: str) -> Manifest:
    return load(EXPERIMENTS / f"{name}.yaml")


@cache
def trials(name: str) -> list[Trial]:
    return expand(manifest(name), catalog())


@cache
def cost(name: str) -> SweepCost:
    """On one node of eight H100, by the planning tables."""
    return sweep_cost(trials(name), catalog().get(ComputeProfile, "h100x8"))


def ids(name: str) -> set[str]:
    return {trial.id for trial in trials(name)}


# -- all of them ----------------------------------------------------------------------------------


def test_the_table_names_every_manifest_there_is() -> None:
    assert sorted(path.stem for path in EXPERIMENTS.rglob("*.yaml")) == sorted(COUNTS)


@each
def test_it_expands_to_the_cells_and_trials_that_were_meant(name: str) -> None:
    found = trials(name)
    assert (len({repr(t.cell) for t in found}), len(found)) == COUNTS[name]
    assert len(ids(name)) == len(found)


@each
def test_it_asks_predicts_and_claims(name: str) -> None:
    said = manifest(name).experiment
    assert said.question.endswith("?")
    assert said.prediction
    assert bool(said.claims) == (name != "smoke_0.5b")  # which compares nothing
    assert all(claim.says.endswith(".") for claim in said.claims)


@each
def test_an_editor_finds_its_schema(name: str) -> None:
    path = EXPERIMENTS / f"{name}.yaml"
    assert path.read_text(encoding="utf-8").splitlines()[0] == SCHEMA_LINE


@each
def test_its_claims_are_clean_and_can_be_decided_save_those_that_say_why_not(name: str) -> None:
    said, found = manifest(name).experiment, trials(name)
    warned = claim_warnings(said.claims, found, powers_of(said, found))
    told = {(w.id, w.where.partition(" ")[2]) for w in warned}
    assert told == CLAIM_WARNINGS.get(name, set())


@each
def test_its_lengths_fit_and_a_box_is_asked_for_save_where_that_is_the_question(name: str) -> None:
    told = {warning.id for warning in card_warnings(trials(name))}
    assert not told & {"cap-over-context", "evaluation-over-context", "no-stop", "seeds-resample"}
    assert ("box-not-asked" in told) == (name in BOX_NOT_ASKED)


@each
def test_it_plans_within_its_budget(name: str) -> None:
    limit = manifest(name).experiment.budget.gpu_hours
    assert (limit is None) == (name in ON_CPU)
    if limit is not None:
        assert 0 < cost(name).hours.mid <= limit


@each
def test_it_can_be_rehearsed(name: str) -> None:
    small = rehearsal.of(manifest(name))
    if name == "released":
        with pytest.raises(InputError, match="nothing to rehearse"):
            expand(small, catalog())
        return
    found = expand(small, catalog())
    assert len(found) == COUNTS[name][0]
    assert all(trial.rehearsal and trial.rounds == rehearsal.ROUNDS for trial in found)


# -- one by one -----------------------------------------------------------------------------------


def test_the_demo_is_twelve_short_trials_of_one_seed() -> None:
    assert {(trial.rounds, trial.seed) for trial in trials("pocket")} == {(20, 0)}


def test_the_collapse_differs_from_the_recipe_in_the_learning_rate_alone() -> None:
    found = trials("pocket_collapse")
    assert {(t.grpo["learning_rate"], t.seed) for t in found} == {
        (rate, seed) for rate in (3e-4, 1e-2) for seed in (0, 1, 2)
    }
    assert all(wire.then == "stop" for trial in found for wire in trial.tripwires)
    recipe = catalog().get(RecipeCard, "pocket").grpo | {"max_completion_length": 64, "beta": 0.0}
    assert all({k for k in recipe if t.grpo[k] != recipe[k]} <= {"learning_rate"} for t in found)


def test_the_smoke_run_is_two_rounds_of_eight_short_responses_with_little_optimiser_state() -> None:
    (trial,) = trials("smoke_0.5b")
    assert (trial.rounds, trial.batch.completions, trial.cap) == (2, 8, 64)
    assert (trial.grpo["optim"], trial.grpo["bf16"]) == ("adafactor", False)
    assert trial.grpo["entropy_coef"] == 0  # a gradient comes of rewards alone


def test_the_full_grid_is_ten_models_by_three_rewards_by_three_buckets_by_three_seeds() -> None:
    cells = {(t.model.name, t.reward.name, t.data.name) for t in trials("full_grid")}
    assert {model for model, _, _ in cells} == set(OWN_BUCKET)
    assert Counter(reward for _, reward, _ in cells) == dict.fromkeys(
        ("correctness", "box-graded", "box-strict"), 30
    )
    assert Counter(data for _, _, data in cells) == dict.fromkeys(
        ("simplerl-easy", "simplerl-medium", "simplerl-hard"), 30
    )
    assert {trial.seed for trial in trials("full_grid")} == {0, 1, 2}
    assert cost("full_grid").hours.mid < 250_000


def test_full_grid_on_eight_nodes_of_eight_gpus_fits_with_every_trial() -> None:
    node64 = catalog().get(ComputeProfile, "slurm")
    assert (node64.gpus, node64.gpus_per_node) == (64, 8)
    found = {t.model.name: place(t, node64) for t in trials("full_grid")}
    assert all(place(t, node64).fits for t in trials("full_grid"))
    assert {name: (placed.gpus, placed.tensor_parallel) for name, placed in found.items()} == {
        **dict.fromkeys(("qwen2.5-0.5b", "qwen2.5-1.5b"), (1, 1)),
        **dict.fromkeys(("qwen2.5-7b", "qwen2.5-math-7b"), (4, 1)),
        **dict.fromkeys(("llama-3.1-8b", "mistral-7b"), (4, 2)),
        "deepseek-math-7b": (4, 4),
        "qwen2.5-14b": (8, 2),
        **dict.fromkeys(("mistral-small-24b", "qwen2.5-32b"), (16, 4)),
    }
    for placed in found.values():
        assert placed.memory
        assert placed.memory.peak <= placed.usable_gib
        assert placed.micro_batch * placed.accumulation * placed.gpus == 2048


def test_the_paper_trains_each_model_on_its_own_bucket_by_the_study_s_recipe() -> None:
    assert {t.model.name: t.data.name for t in trials("paper")} == OWN_BUCKET
    assert {(t.reward.name, t.recipe, t.rounds) for t in trials("paper")} == {
        ("correctness", "simplerl-zoo", 100)
    }


def test_what_the_full_grid_ran_paper_and_difficulty_ablation_find_done() -> None:
    assert ids("paper") < ids("full_grid")
    assert ids("ablation_difficulty") < ids("full_grid")


def test_the_released_checkpoints_are_measured_against_the_ten_bases_untrained() -> None:
    found = trials("released")
    assert {(trial.trainer, trial.seed) for trial in found} == {("external", 0)}
    assert {t.base.name: t.data.name for t in found if t.base} == OWN_BUCKET
    assert cost("released").train.mid == 0
    assert all(e.rounds == (0, 100) for e in found[0].evaluations)


def test_a_node_s_week_fits_a_node_s_week_on_one_gpu_a_trial_and_is_not_of_qwen_alone() -> None:
    assert cost("node_week").hours.mid <= NODE_WEEK_H
    wall = cost("node_week").wall_hours
    assert wall is not None
    assert wall.mid <= 7 * 24
    models = {trial.model.name: trial for trial in trials("node_week")}
    profile = catalog().get(ComputeProfile, "h100x8")
    placed = [place(trial, profile) for trial in models.values()]
    assert all(found.fits and found.gpus == 1 for found in placed)
    assert len({family(trial.model) for trial in models.values()}) == 4


def test_the_format_ablation_crosses_reward_with_prompt_on_both_models() -> None:
    cells = {(t.model.name, t.reward.name, t.prompt.name) for t in trials("ablation_format")}
    rewards = ("correctness", "box-graded", "box-penalty", "box-strict")
    assert cells == {
        (model, reward, prompt)
        for model in ("llama-3.1-8b", "qwen2.5-7b")
        for reward in rewards
        for prompt in ("simple", "boxed")
    }


def test_the_matched_rollouts_have_equal_completions_and_the_others_equal_prompts() -> None:
    matched, free = trials("ablation_rollouts_matched"), trials("ablation_rollouts")
    assert {trial.batch.completions for trial in matched} == {8192}
    assert {trial.batch.per_update for trial in matched} == {2048}
    assert {trial.batch.num_generations for trial in matched} == {2, 4, 8, 16, 32}
    assert {trial.batch.prompts for trial in free} == {1024}
    assert {trial.batch.num_generations for trial in free} == {2, 4, 8, 32}
    shared = [t for t in free if t.id in ids("ablation_rollouts_matched")]
    assert [trial.batch.num_generations for trial in shared] == [8, 8, 8]


def test_temperature_is_varied_in_training_and_beside_it_in_evaluation() -> None:
    found = trials("ablation_temperature")
    assert {trial.grpo["temperature"] for trial in found} == {0.6, 0.8, 1.0, 1.2}
    assert {e.decoding.temperature for e in found[0].evaluations} == {1.0, 0.6, 0.0}


def test_the_controls_stand_beside_correctness_on_qwen_and_on_other_families() -> None:
    found = trials("controls")
    rewards = {"correctness", "random", "format-only", "majority", "inverted"}
    for model in {trial.model.name for trial in found}:
        assert {t.reward.name for t in found if t.model.name == model} == rewards
    assert {family(trial.model) for trial in found} >= {"qwen", "llama", "olmo"}
    assert len({(t.prompt.name, t.data.name, t.cap, t.grpo["beta"]) for t in found}) == 1


def test_the_critics_vary_the_loss_its_scale_and_the_template_and_nothing_else() -> None:
    for model in ("qwen2.5-1.5b", "llama-3.2-1b"):
        same = [trial for trial in trials("critics") if trial.model.name == model]
        moved = {
            name for t in same for name, value in t.grpo.items() if value != same[0].grpo[name]
        }
        assert moved == {"loss_type", "scale_rewards"}
        assert {trial.prompt.name for trial in same} == {"simple", "none"}
        assert len({repr(trial.batch) for trial in same}) == 1
