"""LoRA: adapters beside a frozen model, and the weights that they come to.

Engines, evaluations and kept weights see merged weights: W + (alpha / r) B A for every layer with
an adapter. They are computed anew from the frozen W each time and never merged in place: what peft
takes out again is not what it put in, to the last bit, so that training would drift with every
round and could not be continued exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn

from zoo.catalog import Peft
from zoo.errors import FailureClass, TrialError, listed
from zoo.trainer.policy import load_policy, save_weights

FOLDER = "adapter"
"""Where kept weights have their adapter."""
CONFIG = "adapter_config.json"
ADAPTER = "default"
_BASE, _PREFIX = ".base_layer.", "base_model.model."


def lora_config(peft: Peft, model: nn.Module) -> LoraConfig:
    """The settings of a trial as peft has them.

    Raises:
        TrialError: a name that no linear layer of the model has.
    """
    names = {
        name.rpartition(".")[2]
        for name, part in model.named_modules()
        if isinstance(part, nn.Linear)
    }
    if wrong := [name for name in peft.modules if name not in names]:
        text = f"peft.target_modules: no linear layer is called {listed(wrong)}; the model has "
        raise TrialError(FailureClass.CONFIG, text + listed(sorted(names)))
    return LoraConfig(
        r=peft.r,
        lora_alpha=peft.alpha,
        lora_dropout=peft.dropout,
        target_modules=list(peft.modules) or "all-linear",
        task_type="CAUSAL_LM",
    )


def _layers(model: Any) -> dict[str, LoraLayer]:
    """Name -> layer, of those with an adapter."""
    return {name: part for name, part in model.named_modules() if isinstance(part, LoraLayer)}


def _merged(layer: LoraLayer) -> torch.Tensor:
    base: Any = layer.get_base_layer()
    return base.weight.data + layer.get_delta_weight(ADAPTER)  # type: ignore[operator]


@torch.no_grad()
def merged_weights(model: Any, *, whole: bool = False) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters of the model that adapters and base come to, one after the other, under the names
    of the base; `whole`: all that its folder holds, tied weights twice and buffers too."""
    layers = _layers(model)
    for name, value in model.state_dict().items() if whole else model.named_parameters():
        owner, base, rest = name.rpartition(_BASE)
        if not base and ".lora_" in name:
            continue
        tensor = _merged(layers[owner]) if base and rest == "weight" else value.data
        yield name.replace(_BASE, ".").removeprefix(_PREFIX), tensor


@contextmanager
def merged(model: Any) -> Iterator[None]:
    """The model computes with merged weights; afterwards it has the very tensors that it had."""
    before: list[tuple[Any, torch.Tensor]] = []
    with torch.no_grad():
        for layer in _layers(model).values():
            base: Any = layer.get_base_layer()
            before.append((base.weight, base.weight.data))
            base.weight.data = _merged(layer)
    try:
        with model.disable_adapter():
            yield
    finally:
        for weight, data in before:
            weight.data = data


def keep(model: Any, tokenizer: Any, dtype: str, folder: Path, base: str) -> None:
    """Save merged weights and tokenizer, and the adapter in a folder of its own. `base`: what the
    adapter's settings call its model."""
    save_weights(model.get_base_model(), dtype, folder, dict(merged_weights(model, whole=True)))
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder / FOLDER)
    (folder / FOLDER / "README.md").unlink(missing_ok=True)
    path = folder / FOLDER / CONFIG
    said = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": base}
    if isinstance(modules := said["target_modules"], list):
        said["target_modules"] = sorted(modules)  # peft has a set
    path.write_text(json.dumps(said, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def keep_from(
    base: Path, checkpoint: Path, stop_ids: tuple[int, ...], dtype: str, folder: Path, name: str
) -> None:
    """`keep` of an adapter in a checkpoint over the model in a folder."""
    model, tokenizer = load_policy(base, stop_ids)
    keep(PeftModel.from_pretrained(model, checkpoint), tokenizer, dtype, folder, name)
