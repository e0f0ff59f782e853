"""Checks of `grpo:` settings against a committed snapshot of TRL's `GRPOConfig`, without importing
TRL.

One setting at a time (`check`): is the name known, may a manifest say it, is the value of the right
type and within its limits. Then all of a cell's settings together (`check_together`): combinations
that TRL takes and that train something else than they say. What each setting is, is a table beside
this (`fields`); the snapshot (`trl_fields.json`) is compared with the installed TRL by a test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from zoo.catalog import Batch
from zoo.catalog.cards import FROM_CARD, EntropyMean
from zoo.errors import did_you_mean, told
from zoo.trlspec import fields as table
from zoo.trlspec import foreign
from zoo.trlspec.fields import RESULT_BEARING

REFUSED: dict[str, str] = table.OWNED | table.DANGEROUS | table.NEUTRAL | table.IDLE
CONSTANT = ("constant", "constant_with_warmup")


class Checked(NamedTuple):
    """One setting, looked at: its value as TRL holds it, and what is wrong (`found` is empty where
    nothing is)."""

    value: Any
    found: str = ""
    expected: str = ""
    hint: str = ""
    name_is_wrong: bool = False


class Clash(NamedTuple):
    """A setting (dotted name) that does not go with the others."""

    name: str
    found: str
    expected: str
    hint: str = ""


@cache
def _snapshot() -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "trl_fields.json").read_text(encoding="utf-8"))


def version() -> str:
    """Version of TRL that the snapshot was taken from."""
    return str(_snapshot()["trl"])


@cache
def fields() -> dict[str, dict[str, Any]]:
    """TRL's `GRPOConfig` fields: name -> {types, default}."""
    return _snapshot()["fields"]


@cache
def types(name: str) -> tuple[str, ...]:
    """Types that a manifest may give for a setting, by their Python names (`null` for None)."""
    found = set(fields()[name]["types"])
    found -= {"null"} if name in table.NOT_NULL else set()
    found -= {"str"} if "dict" in found else set()  # JSON in a text, for TRL's command line
    return tuple(sorted(found, key=lambda kind: (kind == "null", kind)))


@cache
def defaults() -> dict[str, Any]:
    """TRL's values of the settings that bear on results."""
    return {
        name: table.MEANT.get(name, fields()[name]["default"]) for name in sorted(RESULT_BEARING)
    }


def check(name: str, value: Any) -> Checked:
    """Check one setting by itself."""
    if name in REFUSED:
        hint = REFUSED[name]
        return Checked(value, f"'{name}' is not for a manifest", hint=hint, name_is_wrong=True)
    if name not in RESULT_BEARING:
        hint = foreign.answer(f"grpo.{name}") or did_you_mean(name, sorted(RESULT_BEARING))
        found = f"unknown GRPO setting '{name}'"
        return Checked(value, found, hint=hint or "names are TRL's", name_is_wrong=True)
    if value == FROM_CARD:
        if name in table.FROM_CARD_ALLOWED:
            return Checked(value)
        hint = f"only {' and '.join(table.FROM_CARD_ALLOWED)} can"
        return Checked(value, f"{name} cannot come from a card", hint=hint)
    return _check_value(name, value)


def _check_value(name: str, value: Any) -> Checked:
    allowed, found = types(name), f"{name} is {told(value)}"
    if value is None:
        if "null" in allowed:
            return Checked(value)
        hint = table.NOT_NULL.get(name, "")
        if choices := table.CHOICES.get(name):
            hint = did_you_mean("none", list(choices))
        return Checked(value, found, _expected(name), hint)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        if type(value).__name__ not in allowed:
            return Checked(value, found, _expected(name))
        choices = table.CHOICES.get(name)
        if choices and value not in choices:
            return Checked(value, found, _expected(name), _meant(str(value), choices))
        return Checked(value)
    kind = "float" if "float" in allowed else "int"
    whole = isinstance(value, int)
    if kind not in allowed or not (whole or (kind == "float" and isfinite(value))):
        return Checked(value, found, _expected(name))
    if whole and abs(value) > table.LARGEST:
        return Checked(value, found, f"a number of at most {table.LARGEST:,}")
    if name in table.RANGES and not table.RANGES[name].holds(value):
        return Checked(value, found, _expected(name))
    return Checked(float(value) if kind == "float" else value)


def _meant(word: str, choices: tuple[str, ...]) -> str:
    longer = [choice for choice in choices if word and choice.startswith(word)]
    return f"did you mean '{longer[0]}'?" if longer else did_you_mean(word, list(choices))


def _expected(name: str) -> str:
    """What a setting may be, in words."""
    if choices := table.CHOICES.get(name):
        return f"one of {', '.join(choices)}"
    words = {"bool": "true or false", "str": "a text", "list": "a list", "dict": "a mapping"}
    words |= {"null": "null", "float": "a number", "int": "a whole number"}
    if name in table.RANGES:
        limits = str(table.RANGES[name])
        words |= {"float": limits, "int": limits.replace("a number", "a whole number")}
    return " or ".join(words[kind] for kind in types(name))


# -- together -------------------------------------------------------------------------------------


def depends_on_horizon(grpo: dict[str, Any]) -> bool:
    """Whether a learning rate at some round depends on how many rounds there will be."""
    return grpo["lr_scheduler_type"] not in CONSTANT or 0 < grpo["warmup_steps"] < 1


def check_together(
    grpo: dict[str, Any], batch: Batch, entropy_mean: EntropyMean = "update"
) -> list[Clash]:
    """Combinations that are refused, of a cell's whole settings."""
    rules = (_sampling, _loss, _ratios, _reference, _schedule, _entropy)
    found = [clash for rule in rules for clash in rule(grpo, batch)]
    return [*found, *_micro_batch(grpo, batch, entropy_mean)]


def has_entropy_bonus(grpo: dict[str, Any]) -> bool:
    """Whether the loss has a bonus for entropy."""
    return bool(grpo.get("entropy_coef") or grpo.get("use_adaptive_entropy"))


def _sampling(grpo: dict[str, Any], batch: Batch) -> Iterator[Clash]:
    """Trap 11: the engine's log-probabilities are those of what is left after truncation, the
    trainer's those of the whole vocabulary, so their ratio is no importance weight."""
    if not grpo["vllm_importance_sampling_correction"]:
        return
    hint = "set vllm_importance_sampling_correction: false, or sample from the whole distribution"
    neutral = {"top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    for name, off in neutral.items():
        if grpo[name] not in (off, None):
            found = f"{name} {grpo[name]:g} together with vllm_importance_sampling_correction"
            expected = f"{name} {off:g}: the correction compares other distributions otherwise"
            yield Clash(f"grpo.{name}", found, expected, hint)


def _micro_batch(grpo: dict[str, Any], batch: Batch, entropy_mean: EntropyMean) -> Iterator[Clash]:
    """What TRL computes a forward pass at a time (grpo_trainer.py:_compute_loss) depends on how
    many completions it holds, and would differ from machine to machine."""
    if batch.micro_batch is not None:
        return
    bonus = entropy_mean == "micro_batch" and "the entropy bonus is a mean"
    per_pass = {
        "loss_type": grpo["loss_type"] == "bnpo" and "loss_type 'bnpo' is a mean",
        "entropy_coef": grpo["entropy_coef"] and bonus,
        "use_adaptive_entropy": grpo["use_adaptive_entropy"] and bonus,
        "top_entropy_quantile": grpo["top_entropy_quantile"] < 1 and "the quantile is taken",
    }
    for name, what in per_pass.items():
        if what:
            expected = "`batch: {micro_batch: N}`, so that the result depends on no machine"
            yield Clash(f"grpo.{name}", f"{what} over each forward pass", expected)


def _loss(grpo: dict[str, Any], batch: Batch) -> Iterator[Clash]:
    loss, level = grpo["loss_type"], grpo["importance_sampling_level"]
    name, high = "grpo.loss_type", grpo["epsilon_high"]
    if loss == "luspo" and level != "sequence":
        yield Clash(name, "loss_type 'luspo' with ratios a token", _say("sequence"))
    if loss == "vespo" and level != "token":
        yield Clash(name, "loss_type 'vespo' forms sequence ratios itself", _say("token"))
    mode = grpo["vllm_importance_sampling_mode"]
    if loss == "vespo" and grpo["vllm_importance_sampling_correction"] and mode[:6] != "token_":
        expected = "vllm_importance_sampling_mode: token_truncate or token_mask"
        yield Clash(name, f"loss_type 'vespo' with '{mode}'", expected)
    if loss == "cispo" and (high is None or high <= 1):
        found = f"loss_type 'cispo' with epsilon_high {told(high)}"
        expected = "epsilon_high above 1: it is the largest weight itself"
        yield Clash(name, found, expected, "its authors take 5")
    if loss in ("cispo", "sapo", "vespo") and grpo["delta"] is not None:
        yield Clash("grpo.delta", f"delta does nothing under loss_type '{loss}'", "delta: null")
    summed, scale = grpo["multi_objective_aggregation"], grpo["scale_rewards"]
    if summed == "normalize_then_sum" and scale != "group":
        found = f"scale_rewards '{scale}' does nothing under 'normalize_then_sum'"
        yield Clash("grpo.multi_objective_aggregation", found, "sum_then_normalize")


def _say(level: str) -> str:
    return f"importance_sampling_level: {level}"


def _ratios(grpo: dict[str, Any], batch: Batch) -> Iterator[Clash]:
    low, high, delta = grpo["epsilon"], grpo["epsilon_high"], grpo["delta"]
    if high is not None and high < low:
        found = f"epsilon_high {high:g} below epsilon {low:g}"
        yield Clash("grpo.epsilon_high", found, "at least epsilon, or null for the same")
    highest = 1 + (low if high is None else high)
    if delta is not None and delta <= highest:
        found = f"delta {delta:g} within the clip range"
        yield Clash("grpo.delta", found, f"above 1 + epsilon_high ({highest:g}), or null")
    least = grpo["vllm_importance_sampling_clip_min"]
    most = grpo["vllm_importance_sampling_clip_max"]
    name = "grpo.vllm_importance_sampling_clip_max"
    if least is not None and most is not None and least >= most:
        yield Clash(name, f"clip_max {most:g}, clip_min {least:g}", "clip_max above clip_min")
    mode = grpo["vllm_importance_sampling_mode"]
    on = grpo["vllm_importance_sampling_correction"]
    if on and mode.endswith("_truncate") and least is None and most is None:
        yield Clash(name, f"'{mode}' between no limits", "clip_max, clip_min or both")


def _reference(grpo: dict[str, Any], batch: Batch) -> Iterator[Clash]:
    if grpo["sync_ref_model"] and not grpo["beta"]:
        found = "sync_ref_model with beta 0: there is no reference model"
        yield Clash("grpo.sync_ref_model", found, "sync_ref_model: false, or beta above 0")


def _schedule(grpo: dict[str, Any], batch: Batch) -> Iterator[Clash]:
    kind, warmup = grpo["lr_scheduler_type"], grpo["warmup_steps"]
    if kind == "constant" and warmup:
        found = f"warmup_steps {warmup:g} does nothing under lr_scheduler_type 'constant'"
        yield Clash("grpo.warmup_steps", found, "lr_scheduler_type: constant_with_warmup")
    if grpo["bf16"] and grpo["fp16"]:
        yield Clash("grpo.fp16", "bf16 and fp16 at once", "one of them")
    projected = grpo["optim"].startswith(("galore", "apollo"))
    if projected and not grpo["optim_target_modules"]:
        expected = "optim_target_modules: names of the layers it projects"
        yield Clash("grpo.optim", f"optim '{grpo['optim']}' alone", expected)


def _entropy(grpo: dict[str, Any], batch: Batch) -> Iterator[Clash]:
    least, most = grpo["entropy_coef_min"], grpo["entropy_coef_max"]
    if grpo["use_adaptive_entropy"] and least > most:
        found = f"entropy_coef_min {least:g} above entropy_coef_max {most:g}"
        yield Clash("grpo.entropy_coef_min", found, "at most entropy_coef_max")
