"""Ids follow from what bears on a result, and from nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.catalog import BenchmarkCard, Catalog, DataCard, ModelCard
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials import identity, rehearsal
from zoo.trials.card_lookup import Unpinned
from zoo.trials.trial import Trial

Write = Callable[..., Path]
GRID = "{model: pocket-llama, reward: correctness, data: pocket-easy}"


def ids(path: Path) -> list[str]:
    """The ids that a manifest expands to."""
    return [trial.id for trial in expand(load(path), Catalog())]


def one(path: Path) -> Trial:
    """The only trial of a manifest."""
    (trial,) = expand(load(path), Catalog())
    return trial


class Fixed(Unpinned):
    """A resolver that never looks: digests are made of names."""

    def model(self, card: ModelCard) -> str:
        return "unpinned" if card.repo else f"model-{card.name}"

    def problems(self, card: DataCard | BenchmarkCard) -> str:
        return f"problems-{card.name}"

    def size(self, card: DataCard | BenchmarkCard) -> int | None:
        return None  # one golden trial has fewer problems than a round takes


GOLDEN = Path(__file__).parents[2] / "golden"
PINNED = json.loads((GOLDEN / "identity.json").read_text(encoding="utf-8"))
CASES = PINNED.get(
    str(identity.IDENTITY_VERSION), {"trials": {"none": {}}, "payloads": {"none": {}}}
)
MOVED = """
Do not update the expected value: whoever has finished runs would have to do them again under new
names. Undo the change, or leave a new field out of the payload at its default. If ids must move,
bump IDENTITY_VERSION and add the new ids to tests/golden/identity.json under the new version.
Found: """


@pytest.mark.parametrize("case", CASES["trials"])
def test_the_id_of_a_known_trial_does_not_move(write: Write, case: str) -> None:
    usual = {"recipe": "golden", "grid": "{model: pinned, reward: golden, data: golden}"}
    pinned = CASES["trials"][case]
    manifest = load(write(**usual | {"evaluate": None} | pinned.get("says", {})))
    if pinned.get("rehearsal"):
        manifest = rehearsal.of(manifest)
    trials = expand(manifest, Catalog(GOLDEN / "cards"), Fixed())
    found = [trial.id for trial in trials]
    assert found == pinned.get("ids"), MOVED + json.dumps(found)


@pytest.mark.parametrize("case", CASES["payloads"])
def test_the_digest_of_a_known_payload_does_not_move(case: str) -> None:
    pinned = CASES["payloads"][case]
    found = identity.digest(pinned.get("payload"))
    assert found == pinned.get("digest"), MOVED + found


def test_what_an_id_is_made_of_is_listed(write: Write) -> None:
    found = {*one(write()).identity}
    assert found >= {"identity", "stage", "trainer", "seed"}
    assert found - {"identity", "stage", "trainer", "seed"} == {
        *("grpo", "batch", "model", "data", "reward", "prompt")
    }


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("learning_rate", ["3e-4", "0.0003", "3.0e-4"]),
        ("beta", ["1", "1.0", "1e0", "0x1"]),
        ("max_grad_norm", ["1", "1.00"]),
    ],
)
def test_values_that_are_one_number_give_one_id(write: Write, name: str, same: list[str]) -> None:
    assert len({ids(write(grpo=f"{{{name}: {value}}}"))[0] for value in same}) == 1


def test_a_setting_at_the_recipes_value_changes_nothing(write: Write) -> None:
    assert ids(write(grpo="{learning_rate: 3.0e-4, beta: 0}")) == ids(write())
    assert ids(write(batch="{prompts: 16}")) == ids(write())


def test_order_comments_and_prose_change_nothing(write: Write) -> None:
    usual = set(ids(write(seeds="[0, 1]")))
    assert set(ids(write(seeds="[1, 0]"))) == usual
    turned = "{data: [pocket-easy], reward: [correctness], model: [pocket-llama]}"
    assert set(ids(write(seeds="[0, 1]", grid=turned))) == usual
    assert set(ids(write(seeds="[0, 1]", question="Something else? # or not"))) == usual
    assert set(ids(write(seeds="[0, 1]", prediction="Nothing happens."))) == usual


def test_an_axis_and_a_setting_of_the_same_value_are_the_same_run(write: Write) -> None:
    axis = GRID.replace("}", ", grpo.beta: [0.1]}")
    assert ids(write(grid=axis)) == ids(write(grpo="{beta: 0.1}"))
    assert ids(write(overrides="[{when: {model: pocket-llama}, set: {grpo.beta: 0.1}}]")) == ids(
        write(grpo="{beta: 0.1}")
    )


def test_a_bigger_grid_renames_nothing(write: Write) -> None:
    bigger = "{model: [pocket-qwen2, pocket-llama], reward: [box-strict, correctness], data: "
    assert set(ids(write())) < set(ids(write(grid=bigger + "[pocket-hard, pocket-easy]}")))


def test_evaluation_is_not_in_the_id(write: Write) -> None:
    other = "{full: {benchmarks: [pocket-hard], problems: 9, at: [1]}}"
    assert ids(write(evaluate=other)) == ids(write())


def test_the_horizon_is_in_the_id_only_where_a_schedule_depends_on_it(write: Write) -> None:
    assert ids(write(rounds="5")) == ids(write(rounds="500"))
    linear = "{lr_scheduler_type: linear}"
    assert ids(write(rounds="5", grpo=linear)) != ids(write(rounds="500", grpo=linear))
    assert one(write(grpo=linear)).identity["rounds"] == 4


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": "[1]"},
        {"grpo": "{beta: 0.1}"},
        {"batch": "{prompts: 8}"},
        {"grid": GRID.replace("correctness", "box-strict")},
        {"grid": GRID.replace("}", ", prompt: none}")},
        {"trainer": "simulated"},
    ],
)
def test_what_bears_on_the_result_is_in_the_id(write: Write, change: dict[str, str]) -> None:
    (before,) = ids(write())
    (after,) = ids(write(**change))
    assert before.rsplit("-", 1)[1] != after.rsplit("-", 1)[1]


def test_a_change_can_be_answered_with_the_field(write: Write) -> None:
    before, after = one(write()), one(write(grpo="{beta: 0.1}", batch="{prompts: 8}"))
    assert identity.differences(before.identity, after.identity) == [
        ("batch.prompts", 16, 8),
        ("grpo.beta", 0.0, 0.1),
    ]
    assert identity.differences(before.identity, before.identity) == []
    assert identity.differences({"a": 1}, {"a": {"b": 1}, "c": 0}) == [
        ("a", 1, {"b": 1}),
        ("c", None, 0),
    ]


def test_samples_of_the_base_model_are_shared_and_those_of_a_trial_are_not(write: Write) -> None:
    trial = one(write())
    evaluation = trial.evaluations[0]

    def sample(policy: dict[str, object], round_: int, stack: str = "2.13") -> str:
        payload = identity.sample_payload(
            policy=policy,
            round_=round_,
            prompt=trial.prompt,
            stop_ids=(3, 1),
            max_tokens=64,
            benchmark_digest="d",
            problems=None,
            decoding=evaluation.decoding,
            stack={"torch": stack},
        )
        return identity.digest(payload)

    base = identity.model_payload(trial.model, "content")
    assert sample(base, 0) == sample(dict(base), 0)
    assert len({sample(base, 0), sample({"train": "x"}, 4), sample(base, 0, "2.14")}) == 3


def test_what_trains_from_a_checkpoint_measures_the_checkpoint_at_round_0(write: Write) -> None:
    grid = "{model: trained, reward: golden, data: golden}"
    for trainer, start in (("trl", "trained"), ("external", "pinned")):
        path = write(grid=grid, recipe="golden", trainer=trainer, evaluate=None)
        (trial,) = expand(load(path), Catalog(GOLDEN / "cards"), Fixed())
        assert trial.start.name == start


def test_code_of_a_repository_that_is_trusted_is_in_the_id(write: Write) -> None:
    model = one(write()).model.model_copy(update={"embedded": None, "repo": "a/b"})
    trusted = model.model_copy(update={"trust_remote_code": True})
    (change,) = identity.differences(*(identity.model_payload(m, "") for m in (model, trusted)))
    assert change == ("trust_remote_code", None, True)


def test_a_model_of_the_hub_without_a_commit_is_unpinned(write: Write) -> None:
    model = one(write()).model.model_copy(update={"embedded": None, "repo": "a/b"})
    assert identity.model_payload(model, "ignored") == {
        "repo": "a/b",
        "revision": "unpinned",
        "stop_ids": [],
    }


def test_what_has_no_stable_form_is_refused() -> None:
    with pytest.raises(TypeError, match="Path has no stable form"):
        identity.canonical({"path": Path()})
    with pytest.raises(ValueError, match="not JSON compliant"):
        identity.canonical(math.nan)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)  # fmt: skip


@given(plain)
def test_one_meaning_has_one_text(value: object) -> None:
    text = identity.canonical(value)
    assert identity.canonical(json.loads(text)) == text
