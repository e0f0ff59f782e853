"""A plan warns of measurements that are missing where the report compares before and after."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.study_cards import COMMIT, manifest
from zoo.lint.plan_warning import PlanWarning
from zoo.lint.warnings import warnings

FREE = {"benchmarks": ["free"]}


def warned(folder: Path, evaluate: dict[str, Any], **said: Any) -> list[PlanWarning]:
    """Warnings of a study of three trials of ten rounds."""
    said = {"grid": {"model": ["pocket-llama"]}} | said
    plan = json.loads(json.dumps(evaluate))  # without YAML aliases, which are refused
    made, trials = manifest(folder, evaluate=plan, **said)
    return warnings(made.experiment, trials)


def test_evaluate_without_schedule_measures_nothing(tmp_path: Path) -> None:
    (found,) = warned(tmp_path, {})
    assert (found.id, found.where) == ("nothing-measured", "3 trials")
    assert found.text == (
        "`evaluate` has no schedule, so nothing is evaluated and there is no result; add "
        "`full: {benchmarks: [...], at: [0, last]}`"
    )


def test_evaluate_of_the_base_alone_measures_no_trained_model(tmp_path: Path) -> None:
    (found,) = warned(tmp_path, {"full": FREE | {"at": [0]}})
    assert (found.id, found.where) == ("nothing-measured", "3 trials")
    assert found.text.startswith("no trained model is evaluated, only the base; add `last`")


@pytest.mark.parametrize(
    ("evaluate", "text"),
    [
        ({"full": FREE | {"at": [0, 5]}}, "schedule full has no evaluation at the last round (10)"),
        ({"watch": FREE | {"every": 4}}, "schedule watch has no evaluation at the last round (10)"),
    ],
)
def test_evaluate_without_final_numbers_compares_nothing(
    tmp_path: Path, evaluate: dict[str, Any], text: str
) -> None:
    (found,) = warned(tmp_path, evaluate)
    assert (found.id, found.where) == ("nothing-compared", "3 trials")
    assert text in found.text


def test_base_that_is_never_measured_leaves_no_gain_to_report(tmp_path: Path) -> None:
    (found,) = warned(tmp_path, {"full": FREE | {"at": ["last"]}})
    assert (found.id, found.where) == ("base-not-measured", "schedule full")
    assert found.text == (
        "free is evaluated at the last round and never on the base model, so there is no gain to "
        "report; add 0 to the `at` of the schedule"
    )


def test_base_that_another_schedule_measures_alike_is_enough(tmp_path: Path) -> None:
    both = {"full": FREE | {"at": ["last"]}, "start": FREE | {"at": [0]}}
    assert warned(tmp_path, both) == []
    other = {"full": FREE | {"at": ["last"]}, "start": FREE | {"at": [0], "problems": 9}}
    assert [w.id for w in warned(tmp_path, other)] == ["base-not-measured"]


def test_final_of_fewer_evaluations_than_it_asks_for_is_named(tmp_path: Path) -> None:
    (found,) = warned(tmp_path, {"full": FREE | {"at": [0, "last"]}}, final="mean-last-5")
    assert (found.id, found.where) == ("final-of-fewer", "schedule full")
    assert found.text == (
        "free is evaluated at round 10 only, so `final: mean-last-5` is that one evaluation; "
        "evaluate at more rounds (`last5` and a frequent `watch`, or a smaller `every`), or set "
        "`final: last`"
    )
    (found,) = warned(tmp_path, {"full": FREE | {"every": 5}}, final="mean-last-5")
    assert "at 2 rounds only (5, 10), so `final: mean-last-5` is the mean of 2;" in found.text
    assert found.text.endswith("or set `final: mean-last-2`")
    assert warned(tmp_path, {"full": FREE | {"every": 2}}, final="mean-last-5") == []


def test_checkpoints_from_elsewhere_are_measured_at_both_ends_only(tmp_path: Path) -> None:
    cards = tmp_path / "cards" / "models"
    cards.mkdir(parents=True)
    (cards / "after.yaml").write_text(
        f"schema: model/1\nname: after\nrepo: org/after\nrevision: {COMMIT}\nprompt: plain\n"
        "cap: 8192\nbase: qwen\neos_ids: [2]\n"
    )
    said = {"trainer": "external", "grid": {"model": ["after"], "data": ["easy"]}, "seeds": [0]}
    (_, found) = warned(tmp_path, {"full": FREE | {"at": [5]}}, **said)
    assert (found.id, found.where) == ("nothing-measured", "1 trial")
    assert found.text.startswith("checkpoints trained elsewhere are evaluated at round 0 and the")
    ends = {"full": FREE | {"at": [0, "last"]}}
    assert [w.id for w in warned(tmp_path, ends, **said, final="mean-last-5")] == ["unpinned-model"]
