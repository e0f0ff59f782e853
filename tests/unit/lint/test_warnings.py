"""A plan warns of what can spoil a study, once for all trials that share a cause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.study_cards import COMMIT, manifest
from zoo.claims.planned_power import powers_of
from zoo.data.questions import SharedProblems
from zoo.lint.card_warnings import card_warnings
from zoo.lint.plan_warning import PlanWarning
from zoo.lint.warnings import warnings


def warned(folder: Path, **said: Any) -> dict[str, PlanWarning]:
    """Warnings of a study by their ids, which have to be distinct here."""
    made, trials = manifest(folder, **said)
    found = warnings(made.experiment, trials)
    assert len({warning.id for warning in found}) == len(found)
    return {warning.id: warning for warning in found}


POCKET = {"model": ["pocket-llama"]}


def test_pocket_models_need_no_warning(tmp_path: Path) -> None:
    both = {"model": ["pocket-llama", "pocket-qwen2"], "reward": ["right", "strict"]}
    assert list(warned(tmp_path, grid=both)) == ["box-not-asked"]
    assert warned(tmp_path, grid={"model": ["pocket-llama"]}) == {}


def test_models_that_are_not_pinned_or_gated_are_named_with_the_remedy(tmp_path: Path) -> None:
    found = warned(tmp_path, grid={"model": ["llama", "qwen"]})
    assert set(found) == {"unpinned-model", "gated-model"}
    assert found["unpinned-model"].where == "3 trials"
    assert found["unpinned-model"].text == (
        "1 model is not pinned; a sweep refuses it until `zoo models pin qwen`"
    )
    assert found["gated-model"].text.startswith("gated on the hub: llama; accept the licence")


def test_a_model_of_the_hub_without_a_card_is_pinned_by_what_the_manifest_calls_it(
    tmp_path: Path,
) -> None:
    found = warned(tmp_path, grid={"model": ["qwen", "hf:org/far"], "prompt": ["plain"]})
    assert found["unpinned-model"].text == (
        "2 models are not pinned; a sweep refuses them until `zoo models pin qwen hf:org/far`"
    )


def test_a_model_that_nothing_ends_is_named(tmp_path: Path) -> None:
    found = warned(tmp_path, grid={"model": ["endless"]})
    assert list(found) == ["no-stop"]
    assert "endless" in found["no-stop"].text


def test_data_that_nobody_fetched_is_named(tmp_path: Path) -> None:
    found = warned(tmp_path, grid={"model": ["pocket-llama"], "data": ["easy", "hard", "mixed"]})
    assert found["unpinned-data"].where == "6 trials"
    assert found["unpinned-data"].text.endswith("run `zoo data fetch hard mixed`")
    assert "unpinned-benchmark" not in found


def test_a_cap_and_an_evaluation_over_the_context_are_named(tmp_path: Path) -> None:
    said = {
        "grid": {"model": ["llama", "qwen-math"]},
        "evaluate": {
            "full": {"benchmarks": ["free"], "at": [0, "last"]},
            "decoding": {
                "t1.0": {"temperature": 1.0, "max_tokens": 16000},
                "t0": {"temperature": 0.0},
            },
        },
    }
    found = warned(tmp_path, **said)
    assert found["cap-over-context"].text == (
        "a max response length of 8,192 and 1,024 tokens of prompt are over the context of "
        "qwen-math (4,096); set it to 3,072 at most"
    )
    assert found["cap-over-context"].where == "3 trials"
    assert found["evaluation-over-context"].text.startswith("max_tokens 16,000 of decoding t1.0")
    smaller = warned(tmp_path, **said, grpo={"max_completion_length": 3072})
    assert "cap-over-context" not in smaller
    assert "evaluation-over-context" in smaller


def test_a_reward_that_counts_to_another_cap_is_named(tmp_path: Path) -> None:
    axes = {"model": ["llama", "qwen-math"], "reward": ["right", "cosine", "correctness-overlong"]}
    found = warned(tmp_path, grid=axes)
    assert "reward-cap" not in found
    _, trials = manifest(tmp_path, grid=axes, grpo={"max_completion_length": 3072})
    told = [warning for warning in card_warnings(trials) if warning.id == "reward-cap"]
    assert [warning.where for warning in told] == ["6 trials", "6 trials"]
    assert told[1].text == (
        "reward correctness-overlong counts lengths up to 8,192 tokens and responses of llama, "
        "qwen-math are cut at 3,072, so no response reaches that length; "
        "take a card with their limit, or set grpo.max_completion_length"
    )


def test_a_reward_that_needs_a_box_wants_a_prompt_that_asks(tmp_path: Path) -> None:
    both = {"model": ["llama", "qwen"], "reward": ["right", "strict", "stricter"]}
    found = warned(tmp_path, grid=both)["box-not-asked"]
    assert found.where == "6 trials"
    assert found.text.startswith(
        "rewards strict, stricter need a box that prompt plain does not ask for (llama); take a"
    )
    one = warned(tmp_path, grid=both | {"reward": ["strict"]})["box-not-asked"]
    assert one.text.startswith("reward strict needs a box that prompt plain does not ask for (")
    assert "box-not-asked" not in warned(tmp_path, grid=both | {"prompt": ["boxed"]})


def test_a_grid_that_crosses_prompts_has_its_comparison_already(tmp_path: Path) -> None:
    axes = {"model": ["qwen", "endless"], "reward": ["right", "strict"]}
    found = warned(tmp_path, grid=axes | {"prompt": ["plain", "boxed"]})["box-not-asked"]
    assert found.text == (
        "reward strict needs a box that prompt plain does not ask for (2 of 4 cells with such a "
        "reward; those under boxed are the comparison)"
    )
    assert found.where == "6 trials"


def test_a_checkpoint_from_elsewhere_needs_no_training_data_and_no_second_seed(
    tmp_path: Path,
) -> None:
    cards = tmp_path / "cards" / "models"
    cards.mkdir(parents=True)
    (cards / "after.yaml").write_text(
        f"schema: model/1\nname: after\nrepo: org/after\nrevision: {COMMIT}\nprompt: plain\n"
        "cap: 8192\nbase: qwen\neos_ids: [2]\n"
    )
    said = {"trainer": "external", "grid": {"model": ["after"], "data": ["hard"]}}
    assert list(warned(tmp_path, **said, seeds=[0])) == ["unpinned-model"]
    found = warned(tmp_path, **said)
    assert set(found) == {"unpinned-model", "seeds-resample"}
    assert found["seeds-resample"].where == "3 trials"


def test_a_benchmark_that_is_trained_on_is_named_unless_it_was_filtered_out(
    tmp_path: Path,
) -> None:
    evaluate = {"full": {"benchmarks": ["held", "free"], "at": [0, "last"]}}
    said = {"model": ["pocket-llama"], "data": ["easy", "hard", "mixed", "clean"]}
    found = warned(tmp_path, grid=said, evaluate=evaluate)["leak"]
    assert found.where == "6 trials"  # hard, and mixed, which is built from it
    assert found.text.startswith(
        "problems of held are in the training data hard, mixed (9 of the 500 are in it); note it"
    )


def test_a_benchmark_leaks_by_choice_only_where_something_chooses_by_it(tmp_path: Path) -> None:
    def wire(**said: Any) -> list[str]:
        return list(warned(tmp_path, grid=POCKET, tripwires=[{"above": 0.9} | said]))

    assert wire(metric="eval/free/clipped_ratio/t0", then="stop") == ["leak-by-choice"]
    assert wire(metric="eval/free/clipped_ratio/t0", then="mark") == []
    assert wire(metric="train/completions/clipped_ratio", then="stop") == []


def test_settings_that_are_rarely_meant_are_named(tmp_path: Path) -> None:
    masked = warned(tmp_path, grid=POCKET, grpo={"vllm_importance_sampling_mode": "sequence_mask"})
    assert list(masked) == ["sequence-mask"]
    assert "token_truncate keeps them" in masked["sequence-mask"].text
    ratios = {"importance_sampling_level": "sequence", "loss_type": "dapo"}
    assert list(warned(tmp_path, grid=POCKET, grpo=ratios)) == ["sequence-ratio"]
    assert warned(tmp_path, grid=POCKET, grpo=ratios | {"loss_type": "grpo"}) == {}


def test_a_plan_over_its_budget_is_told_by_how_much(tmp_path: Path) -> None:
    budget = {"gpu_hours": 134.5, "usd": 5000}
    made, trials = manifest(tmp_path, grid=POCKET, budget=budget)
    estimate = {"gpu_hours": 1234.5, "usd": 300.0}
    (found,) = warnings(made.experiment, trials, estimate=estimate)
    assert (found.id, found.where) == ("over-budget", "budget gpu_hours")
    assert found.text.startswith("1,234 GPU-hours are planned, 134.5 are in the budget")


def test_budget_below_the_upper_end_of_the_estimate_is_at_risk(tmp_path: Path) -> None:
    made, trials = manifest(tmp_path, grid=POCKET, budget={"hours": 168, "disk_gib": 10})
    estimate = {"hours": 140.2, "disk_gib": 9.0}

    def at(high: float) -> list[PlanWarning]:
        upper = {"hours": high, "disk_gib": 9.0}
        return warnings(made.experiment, trials, estimate=estimate, upper=upper)

    (found,) = at(280.5)
    assert (found.id, found.where) == ("budget-at-risk", "budget hours")
    assert found.text == "may take up to 280 of 168 hours; a few trials first narrow that"
    assert at(168) == []


def test_claims_are_warned_of_with_the_rest(tmp_path: Path) -> None:
    said = {"id": "a", "says": "It gains.", "kind": "gain", "metric": "eval/free/acc/t0"}
    made, trials = manifest(
        tmp_path, grid=POCKET, seeds=[0], claims=[said | {"expect": {"higher_by": 0}}]
    )
    found = warnings(made.experiment, trials, powers_of(made.experiment, trials))
    assert [(w.id, w.where) for w in found] == [("seeds-cannot-decide", "claim a")]


def test_a_warning_is_a_row_for_programs() -> None:
    row = PlanWarning("gated-model", "accept it", "3 trials").as_data()
    assert row == {"id": "gated-model", "text": "accept it", "where": "3 trials"}


@pytest.mark.parametrize("n", [7, 30])
def test_many_names_are_cut_short(tmp_path: Path, n: int) -> None:
    for i in range(n):
        folder = tmp_path / f"model-{i}"
        folder.mkdir()
        (folder / "config.json").write_text("{}")
    models = [{"path": f"model-{i}", "prompt": "plain"} for i in range(n)]
    found = warned(tmp_path, grid={"model": models})["no-stop"]
    assert f"model-3, model-4 and {n - 5} more;" in found.text
    assert found.where == f"{3 * n} trials"


def test_a_kl_that_is_not_logged_is_named(tmp_path: Path) -> None:
    wires = [{"metric": "train/kl", "above": 1}]
    found = warned(tmp_path, grid=POCKET, tripwires=wires)
    assert list(found) == ["kl-not-logged"]
    assert "in 3 trials it is 0" in found["kl-not-logged"].text
    assert found["kl-not-logged"].where == "tripwire on train/kl above 1"
    assert warned(tmp_path, grid=POCKET, tripwires=wires, grpo={"beta": 0.1}) == {}


def test_a_schedule_that_is_never_due_is_named(tmp_path: Path) -> None:
    watch = {"benchmarks": ["pocket-easy"], "every": 50}
    found = warned(tmp_path, grid=POCKET, rounds=49, evaluate={"watch": watch})
    assert set(found) == {"never-due", "nothing-measured"}
    assert "every 50 rounds of 49 is the base model alone" in found["never-due"].text
    assert found["never-due"].where == "schedule watch"
    assert warned(tmp_path, grid=POCKET, rounds=50, evaluate={"watch": watch}) == {}


def test_a_tripwire_longer_than_the_study_is_named(tmp_path: Path) -> None:
    wires = [{"metric": "train/reward", "below": 0, "for": 8}]
    found = warned(tmp_path, grid=POCKET, rounds=7, tripwires=wires)
    assert "8 rounds in a row are more than the 7" in found["never-trips"].text
    assert warned(tmp_path, grid=POCKET, rounds=8, tripwires=wires) == {}


def test_a_leak_that_its_card_declares_is_not_told_again_where_as_many_were_counted(
    tmp_path: Path,
) -> None:
    evaluate = {"full": {"benchmarks": ["held"], "at": [0, "last"]}}
    grid = {"model": ["pocket-llama"], "data": ["hard"]}
    _, trials = manifest(tmp_path, grid=grid, evaluate=evaluate)
    held = trials[0].evaluations[0].benchmark

    def told(problems: int) -> list[str]:
        found = card_warnings(trials, [SharedProblems(trials[0].data, held, problems, 500)])
        return [w.id for w in found if w.id.startswith("leak")]

    assert told(0) == ["leak"]  # the card knows of nine that are spelled differently
    assert told(3) == ["leak-by-content", "leak"]
    assert told(9) == ["leak-by-content"]
