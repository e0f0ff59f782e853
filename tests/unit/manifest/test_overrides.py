"""`--set` changes a manifest through the same validator, and wins over everything it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.manifest.load import load, read
from zoo.planning.expand import expand
from zoo.trials.trial import Trial

Write = Callable[..., Path]


def trials(path: Path, *sets: str) -> list[Trial]:
    """The trials of a manifest changed by `sets`."""
    return expand(load(path, sets), Catalog())


def test_a_recipe_field_wins_over_manifest_and_overrides(write: Write) -> None:
    path = write(
        grpo="{beta: 0.1}",
        overrides="[{when: {model: pocket-llama}, set: {grpo.beta: 0.2}}]",
    )
    assert trials(path)[0].grpo["beta"] == 0.2
    assert trials(path, "grpo.beta=3e-1")[0].grpo["beta"] == 0.3
    assert trials(path, "prompt=none")[0].prompt.name == "none"
    assert trials(path, "batch.prompts=8")[0].batch.prompts == 8


def test_a_place_of_the_manifest_is_changed_there(write: Write) -> None:
    path = write()
    assert [t.seed for t in trials(path, "seeds=[4, 5]")] == [4, 5]
    assert trials(path, "rounds=9")[0].rounds == 9
    assert trials(path, "evaluate.full.problems=7")[0].evaluations[0].problems == 7
    assert [t.cell["model"] for t in trials(path, "grid.model=[pocket-qwen2]")] == ["pocket-qwen2"]
    assert trials(path, "grid.grpo.beta=[0, 0.1]")[1].cell["grpo.beta"] == 0.1
    assert trials(path, "evaluate.full.benchmarks.0=pocket-hard")[0].evaluations[0].benchmark.name


def test_a_key_with_a_dot_is_found(write: Write) -> None:
    decodings = "{full: {benchmarks: [pocket-easy], at: [0]}, decoding: {t1.0: {temperature: 1}}}"
    (trial,) = trials(write(evaluate=decodings), "evaluate.decoding.t1.0.top_p=0.95")
    assert trial.evaluations[0].decoding.top_p == 0.95


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("grpo.betta=1", "--set grpo.betta=1: unknown GRPO setting 'betta'; did you mean 'beta'?"),
        ("rouds=3", "--set rouds=3: unknown key 'rouds'; did you mean 'rounds'?"),
        ("beta", "--set beta: 'beta'; expected NAME=VALUE, such as grpo.beta=0.001"),
        ("seeds=[0, 0]", "--set seeds=[0, 0]: seeds is [0, 0]; expected seeds that differ"),
        ("rounds=[", "--set rounds=[: not YAML"),
        ("name.x=1", "--set name.x=1: 'name' is 'small', which has no parts"),
        ("seeds.9=1", "--set seeds.9=1: 'seeds' has no entry 9; it has 1, counted from 0"),
        ("prompt=nope", "--set prompt=nope: unknown prompt 'nope'"),
        (".=1", "--set .=1: '.=1'; expected NAME=VALUE"),
        ("grpo..beta=1", "--set grpo..beta=1: 'grpo..beta=1'; expected NAME=VALUE"),
        (
            "claims.0.expect.higher_by=3",
            "--set claims.0.expect.higher_by=3: claims is {0: {expect: {higher_by: 3}}}; expected",
        ),
        (
            "evaluate.decoding.t1.0.temprature=0.5",
            "--set evaluate.decoding.t1.0.temprature=0.5: unknown key",
        ),
    ],
)
def test_a_wrong_one_is_placed_on_the_command_line(write: Write, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        trials(write(seeds="[0]"), text)
    assert message in str(caught.value)


def test_a_list_that_is_not_there_is_blamed_on_the_command_line(write: Write) -> None:
    with pytest.raises(InputError) as caught:
        trials(write(), "seeds.0=3")
    assert str(caught.value) == "--set seeds.0=3: seeds is {0: 3}; expected a list"


def test_a_decoding_that_is_a_default_can_be_changed_alone(write: Write) -> None:
    found = trials(write(), "evaluate.decoding.t0.temperature=0.5")[0].evaluations
    assert {e.decoding_name: e.decoding.temperature for e in found} == {"t1.0": 1.0, "t0": 0.5}
    found = trials(write(), "evaluate.decoding.t1.0.temperature=0.5")[0].evaluations
    assert {e.decoding_name: e.decoding.temperature for e in found} == {"t1.0": 0.5, "t0": 0.0}
    same = trials(write(), "evaluate.decoding.t1.0.temperature=1.0")[0]
    assert same == trials(write())[0]


def test_the_later_of_two_wins(write: Write) -> None:
    path = write()
    assert trials(path, "grpo.beta=0.1", "grpo={}")[0].grpo["beta"] == 0
    assert trials(path, "grpo={}", "grpo.beta=0.1")[0].grpo["beta"] == 0.1
    assert trials(path, "batch.prompts=8", "batch={prompts: 4}")[0].batch.prompts == 4


def test_an_axis_cannot_be_set_away(write: Write) -> None:
    grid = "{model: pocket-llama, reward: correctness, data: pocket-easy, grpo.beta: [0, 1]}"
    with pytest.raises(InputError, match=r"narrow the axis: --set grid\.grpo\.beta"):
        trials(write(grid=grid), "grpo.beta=2")


def test_a_change_is_blamed_also_where_parts_before_it_are_left_out(write: Write) -> None:
    claim = "id: a, says: s, kind: gain, metric: eval/pocket-easy/acc/t0, expect: {higher_by: 0}"
    path = write(claims=f"[{{{claim}, k: [1]}}, {{{claim.replace('id: a', 'id: b')}}}]")
    with pytest.raises(InputError) as caught:
        expand(read(path, ["claims.1.metric=nothing"]), Catalog())
    assert [fault.place.rpartition("/")[2] for fault in caught.value.faults] == [
        "small.yaml:8:96",
        "--set claims.1.metric=nothing",
    ]
