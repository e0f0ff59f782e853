"""LoRA in recipes and manifests: settings, axes, ids, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog, ComputeProfile, Geometry, Peft
from zoo.errors import InputError
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.resources import place, shape, sweep_cost, trial_cost
from zoo.resources.cost import parameters_of, state_bytes, trained_parameters, work
from zoo.resources.memory import adapter_parameters
from zoo.trials.trial import Trial

Write = Callable[..., Path]


def trials(path: Path, *sets: str) -> list[Trial]:
    """The trials of a manifest."""
    return expand(load(path, sets), Catalog())


def test_rank_of_zero_is_the_trial_without_lora(write: Write) -> None:
    (plain,) = trials(write())
    (none,) = trials(write(peft="{r: 0}"))
    assert none.id == plain.id
    assert none.peft is plain.peft is None
    assert "peft" not in plain.identity


def test_every_setting_of_lora_is_in_the_id_and_the_order_of_modules_is_not(write: Write) -> None:
    base = "peft={r: 8}"
    sets = [base, "peft.r=4", "peft.alpha=8", "peft.dropout=0.1", "peft.target_modules=[v_proj]"]
    ids = [trials(write(), base, one)[0].id for one in sets]
    assert len(set(ids)) == len(ids)
    one, other = (
        trials(write(), base, f"peft.target_modules={names}")[0]
        for names in ("[q_proj, v_proj]", "[v_proj, q_proj]")
    )
    assert one.id == other.id


def test_ranks_are_an_axis_and_zero_of_it_trains_all_weights(write: Write) -> None:
    grid = "{model: pocket-llama, reward: correctness, data: pocket-easy, peft.r: [0, 4, 16]}"
    found = trials(write(grid=grid))
    assert [trial.peft and trial.peft.r for trial in found] == [None, 4, 16]
    assert found[0].id == trials(write())[0].id


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{r: -1}", "peft.r is -1; expected at least 0"),
        ("{r: 8, alpha: 0}", "peft.alpha is 0; expected above 0"),
        ("{r: 8, dropout: 1}", "peft.dropout is 1; expected below 1"),
        ("{r: 8, target_modules: [lm_head]}", "expected other layers than lm_head"),
        ("{r: 8, target_modules: []}", "expected names of linear layers, each once"),
        ("{rank: 8}", "unknown key 'peft.rank'"),
        ("{alpha: 8}", "peft.alpha without a rank; expected `peft.r` beside it"),
    ],
)
def test_wrong_setting_is_refused_at_its_place(write: Write, said: str, expected: str) -> None:
    with pytest.raises(InputError) as error:
        trials(write(peft=said))
    assert expected in str(error.value)
    assert ":" in str(error.value).split(expected)[0]  # file and line


def test_moving_reference_is_refused_with_lora(write: Write) -> None:
    grpo = "{beta: 0.1, sync_ref_model: true}"
    with pytest.raises(InputError, match="false with LoRA"):
        trials(write(peft="{r: 8}", grpo=grpo))


def test_parameters_of_adapters_follow_from_the_geometry() -> None:
    geometry = Geometry(
        layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, ffn=16, vocab=32, tied=True
    )
    attention = (8 + 8) + (8 + 4) + (8 + 4) + (8 + 8)
    assert adapter_parameters(geometry, Peft(r=3)) == 2 * 3 * (attention + 3 * (8 + 16))
    assert adapter_parameters(geometry, Peft(r=3, target_modules="q_proj")) == 2 * 3 * 16


def test_lora_of_7b_fits_one_h100_where_all_weights_need_four(write: Write) -> None:
    grid = "{model: qwen2.5-7b, reward: correctness, data: simplerl-hard, peft.r: [0, 16]}"
    full, lora = trials(write(grid=grid, recipe="simplerl-zoo"))
    profile = Catalog().get(ComputeProfile, "h100x8")
    placed = [place(trial, profile) for trial in (full, lora)]
    assert [one.gpus for one in placed] == [4, 1]
    memory = placed[1].memory
    assert memory is not None
    assert memory.reference == 0  # the frozen model is the reference
    assert memory.gradients < 1
    assert trained_parameters(lora) < 0.01 * parameters_of(lora.model)
    assert state_bytes(lora) < 0.01 * state_bytes(full)
    assert work(lora) < work(full)
    costs = [trial_cost(trial, profile) for trial in (full, lora)]
    assert costs[1].saves.running < 0.01 * costs[0].saves.running
    assert costs[1].disk.checkpoint > costs[0].disk.checkpoint  # merged weights, and the adapter


def test_lora_over_several_gpus_does_not_fit_and_says_why(write: Write) -> None:
    grid = "{model: qwen2.5-32b, reward: correctness, data: simplerl-hard}"
    (trial,) = trials(write(grid=grid, recipe="simplerl-zoo", peft="{r: 16}"))
    placed = place(trial, Catalog().get(ComputeProfile, "h100x8"))
    assert placed.fits is False
    assert "with LoRA (`peft.r`) a trial trains in one process, on one GPU" in placed.why


def test_plan_of_both_places_and_prices_each_by_itself(write: Write) -> None:
    grid = "{model: qwen2.5-7b, reward: correctness, data: simplerl-hard, peft.r: [0, 16]}"
    full, lora = trials(write(grid=grid, recipe="simplerl-zoo"))
    assert shape(full) != shape(lora)  # neither is placed, priced or held back like the other
    profile = Catalog().get(ComputeProfile, "h100x8")
    cost = sweep_cost([full, lora], profile)
    alone = [trial_cost(trial, profile).hours.mid for trial in (full, lora)]
    assert alone[0] != alone[1]
    arms = [hours.mid for hours in cost.arms["peft.r"].values()]
    assert arms == pytest.approx(alone)
