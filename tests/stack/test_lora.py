"""LoRA: adapters train, engines and kept weights see them merged, and what holds of trials that
train all weights holds here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file

from tests.support.same_trial import traces
from tests.support.trials import finish, manifest, start, trials_of
from zoo.catalog import Catalog, ComputeProfile, Peft
from zoo.data.resolve import EMBEDDED
from zoo.errors import TrialError
from zoo.store import journal
from zoo.store import record as records
from zoo.store.run_store import Store
from zoo.trainer.adapter import keep, keep_from, lora_config, merged, merged_weights
from zoo.trainer.policy import load_policy
from zoo.trials.trial import Trial

EVALUATE = "{full: {benchmarks: [pocket-easy], problems: 16, at: [0, last]}}"
SETTINGS = "2\npeft: {r: 8}\ngrpo: {learning_rate: 3e-3, beta: 0.05}"
BASE = EMBEDDED / "pocket-llama"
GAP = "train/sampling/sampling_logp_difference/mean"


class Runs(NamedTuple):
    trial: Trial
    store: Store
    """Killed after the checkpoint of round 1 and continued, evaluated while it trained."""
    later: Store
    """Left alone, and evaluated from its kept weights."""
    vllm: Store


def launch(trial: Trial, store: Store, **env: str) -> Any:
    profile = Catalog().get(ComputeProfile, "cpu-transformers")
    said: dict[str, Any] = {"engine": "transformers", "generation_batch": 128, "save_every": 1}
    return start(trial, store, env=profile.env | env, **said)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    top = tmp_path_factory.mktemp("lora")
    said = {"model": "pocket-llama", "rounds": SETTINGS}
    (trial,) = trials_of(manifest(top, evaluate=EVALUATE, **said))
    (plain,) = trials_of(manifest(top, "plain", evaluate="{}", **said))
    assert plain.id == trial.id
    store, later, vllm = (Store(top / name) for name in ("killed", "later", "vllm"))
    calm = launch(plain, later)
    dying = launch(trial, store, ZOO_FAULT="synced@1")
    assert dying.wait(timeout=280) != 0
    finish(calm, plain, later)
    continued, measured = launch(trial, store), launch(trial, later)
    finish(continued, trial, store)
    finish(measured, trial, later)
    finish(start(trial, vllm), trial, vllm)
    return Runs(trial, store, later, vllm)


def kept(store: Store, trial: Trial) -> Path:
    return store.checkpoint(trial.id, trial.rounds)


def test_trial_killed_and_continued_equals_the_undisturbed_one(runs: Runs) -> None:
    record = records.read(runs.store.train(runs.trial.id))
    assert record is not None
    assert record.about["resumed_from"] == 1
    again, once = traces(runs.trial, runs.store), traces(runs.trial, runs.later)
    for name, expected in once.items():
        assert again[name] == expected, name


def test_kept_weights_are_the_base_with_its_adapter_merged(runs: Runs) -> None:
    folder = kept(runs.store, runs.trial)
    base, found = load_file(BASE / "model.safetensors"), load_file(folder / "model.safetensors")
    assert base.keys() == found.keys()
    moved = {name for name in base if not torch.equal(base[name], found[name])}
    linear = ("q", "k", "v", "o", "gate", "up", "down")
    assert {name.split(".")[-2] for name in moved} == {f"{name}_proj" for name in linear}
    model, _ = load_policy(BASE, ())
    adapted = PeftModel.from_pretrained(model, folder / "adapter")
    again = dict(merged_weights(adapted, whole=True))
    assert all(torch.equal(again[name], found[name]) for name in found)


def test_adapter_names_its_model_and_no_path(runs: Runs) -> None:
    folder = kept(runs.store, runs.trial) / "adapter"
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    said = json.loads((folder / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == "pocket-llama"
    assert (said["r"], said["lora_alpha"], said["lora_dropout"]) == (8, 32.0, 0.0)
    assert str(EMBEDDED) not in json.dumps(said)


@pytest.mark.parametrize("engine", ["store", "vllm"])
def test_reference_is_the_frozen_model(runs: Runs, engine: str) -> None:
    folder = getattr(runs, engine).train(runs.trial.id)
    first, second = (
        row["metrics"]["train/kl"] for row in journal.read(folder / "metrics.jsonl")[1:]
    )
    assert first == 0  # an adapter begins as nothing
    assert second > 0


def test_vllm_samples_from_merged_weights(runs: Runs) -> None:
    folder = runs.vllm.train(runs.trial.id)
    rows = [row["metrics"] for row in journal.read(folder / "metrics.jsonl")[1:]]
    base, trained = (
        load_file(BASE / "model.safetensors"),
        load_file(kept(runs.vllm, runs.trial) / "model.safetensors"),
    )
    assert any(not torch.equal(base[name], trained[name]) for name in base)
    assert all(row[GAP] < 1e-4 for row in rows), [row[GAP] for row in rows]


# -- adapters in this process ----------------------------------------------------------------------


def adapted(r: int = 4) -> tuple[Any, Any]:
    """A pocket model with an adapter that does something, and its tokenizer."""
    model, tokenizer = load_policy(BASE, ())
    torch.manual_seed(1)
    found = get_peft_model(model, lora_config(Peft(r=r), model))
    with torch.no_grad():
        for name, weight in found.named_parameters():
            if ".lora_B." in name:
                weight.normal_(std=0.1)
    return found, tokenizer


def test_merging_for_a_call_leaves_every_bit_of_the_weights() -> None:
    model, _ = adapted()
    ids = torch.tensor([[5, 6, 7, 8]])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    beside = model(input_ids=ids).logits
    inside = beside
    for _ in range(3):
        with torch.no_grad(), merged(model):
            inside = model.get_base_model()(input_ids=ids).logits
    assert torch.allclose(inside, beside, atol=1e-4)
    assert not torch.allclose(inside, load_policy(BASE, ())[0](input_ids=ids).logits, atol=1e-2)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(model(input_ids=ids).logits, beside)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert trained
    assert all(".lora_" in name for name in trained)


def test_policy_of_a_checkpoint_is_the_one_that_was_kept(tmp_path: Path) -> None:
    model, tokenizer = adapted()
    keep(model, tokenizer, "float32", tmp_path / "live", "pocket-llama")
    model.save_pretrained(tmp_path / "state")
    keep_from(BASE, tmp_path / "state", (), "float32", tmp_path / "stopped", "pocket-llama")
    names = {p.relative_to(tmp_path / "live") for p in (tmp_path / "live").rglob("*.safetensors")}
    assert len(names) == 2
    for name in names:
        one, other = load_file(tmp_path / "live" / name), load_file(tmp_path / "stopped" / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_module_that_the_model_lacks_is_named() -> None:
    model, _ = load_policy(BASE, ())
    with pytest.raises(
        TrialError, match="no linear layer is called query; the model has down_proj"
    ):
        lora_config(Peft(r=4, target_modules=["q_proj", "query"]), model)
