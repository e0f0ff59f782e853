"""Attribute each changed identity field to a manifest edit or to drift (a card, a revision, a
digest)."""

from __future__ import annotations

from typing import Any

from zoo.json_text import as_mapping
from zoo.trials import identity

# What a manifest says of a cell (`Trial.said`) -> the fields of its id that follow from it.
FOLLOWS: dict[str, tuple[str, ...]] = {
    "recipe": ("grpo", "batch", "peft", "entropy_mean", "rounds"),
    "grpo.entropy_coef": ("grpo.entropy_coef", "entropy_mean"),
    "grpo.use_adaptive_entropy": ("grpo.use_adaptive_entropy", "entropy_mean"),
    "grpo.lr_scheduler_type": ("grpo.lr_scheduler_type", "rounds"),
    "grpo.warmup_steps": ("grpo.warmup_steps", "rounds"),
    "model.path": ("model.content", "model.repo", "model.revision"),
    "model.prompt": ("prompt",),
    "model.cap": ("grpo.max_completion_length",),
    "model.beta": ("grpo.beta",),
    "model.base": ("base",),
    "data.path": ("data",),
    "data.columns": ("data",),
    "data.gold": ("data",),
}
EVERYTHING = ABSENT = ""


def followed(before: dict[str, Any], now: dict[str, Any], *, rehearsal: bool) -> set[str]:
    """Dotted names, of fields or of parts with all their fields, that follow from edits of the
    manifest. Another recipe or prompt accounts for all of its fields.
    """
    old, new = _opened(before), _opened(now)
    changed = [name for name in old | new if old.get(name, ABSENT) != new.get(name, ABSENT)]
    found = {field for name in changed for field in FOLLOWS.get(name, (name,))}
    if rehearsal and any(field.startswith("batch.") for field in found):
        found.add("batch")  # its own batch is made of the whole of the full one
    trainers = {before.get("trainer"), now.get("trainer")}
    return found | {EVERYTHING} if len(trainers) == 2 and "external" in trainers else found


def follows(name: str, followed: set[str], *, one_sided: bool) -> bool:
    """Whether a field of the id is among these. `one_sided`: it is absent before or now, as most
    are where a trial is trained elsewhere."""
    if one_sided and EVERYTHING in followed:
        return True
    if name.startswith("rehearsal."):
        name = name.removeprefix("rehearsal.")
        name = name if "." in name else f"grpo.{name}"
    parts = name.split(".")
    return any(".".join(parts[: n + 1]) in followed for n in range(len(parts)))


def _opened(said: dict[str, Any]) -> dict[str, str]:
    """The same as texts, with inline models and problems as dotted names."""
    found: dict[str, Any] = {}
    for name, value in said.items():
        inside = as_mapping(value) if name in ("model", "data") else None
        found |= {name: value} if inside is None else {f"{name}.{k}": v for k, v in inside.items()}
    return {name: identity.canonical(value) for name, value in found.items()}
