from pathlib import Path

import pytest
import yaml

import zoo.rewards
from zoo.grading import RULES, Verdict
from zoo.rewards.base import Completion
from zoo.rewards.functions import REWARDS, compute

CARDS = sorted((Path(zoo.rewards.__file__).parents[1] / "catalog" / "rewards").glob("*.yaml"))
GROUP = [Verdict.CORRECT, Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER]
TEXTS = [Completion(r"\boxed{1}", True), Completion("1", False), Completion(r"\boxed{2}", True)]
TEXTS = [*TEXTS, Completion("no", False)]


def card(name):
    return yaml.safe_load((CARDS[0].parent / f"{name}.yaml").read_text())


def rewards(name, verdicts=GROUP, completions=TEXTS, seed=0):
    return compute(card(name)["kind"], verdicts, completions, card(name)["params"], seed)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("correctness", [1, 1, 0, 0]),
        ("box-graded", [1, 0.5, -0.5, -1]),
        ("box-strict", [1, -1, -0.5, -1]),
        ("box-penalty", [1, -1, 0, -1]),
        ("format-only", [1, 0, 1, 0]),
        ("inverted", [0, 0, 1, 1]),
        ("majority", [1, 1, 0, 0]),
    ],
)
def test_the_cards_give_the_numbers_of_their_source(name, values):
    assert rewards(name) == values


def test_exhausted_falls_in_the_wrong_cells_and_unscored_gives_none():
    verdicts = [Verdict.EXHAUSTED, Verdict.BAD_GOLD, Verdict.GRADER_FAULT, Verdict.CORRECT]
    assert rewards("box-strict", verdicts) == [-0.5, None, None, -1.0]


def test_a_random_reward_depends_on_its_seed_alone():
    assert rewards("random", seed=3) == rewards("random", GROUP[::-1], seed=3)
    many = [Completion("", False)] * 400
    values = rewards("random", [Verdict.WRONG] * 400, many, seed=1)
    assert 150 < sum(values) < 250


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.stem)
def test_every_card_names_a_known_function_and_policy(path):
    body = yaml.safe_load(path.read_text())
    assert body["schema"] == "reward/1"
    assert body["name"] == path.stem
    assert body["kind"] in REWARDS
    assert body["extract"] in RULES
    assert body["source"]
