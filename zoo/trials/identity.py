"""Ids from content: everything that affects a result is hashed, and nothing else.

In: recipe settings, batch, model (repo, revision or content, stop ids), prompt template, data
digest, reward numbers and version, trainer, seed; the horizon only where a schedule depends on it.
Out: compute, paths, dates, prose, evaluation; `zoo.trials.identity_fields` lists each field.
The payload is normalised before it is hashed (`1e-6` and `0.000001`, `1` and `1.0` are one number)
and stored next to the hash, so that "changed" can always be answered with *which field*.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

from zoo.catalog import Batch, ModelCard, Peft, PromptCard, RewardCard
from zoo.catalog.cards import ALL_LINEAR
from zoo.json_text import as_mapping
from zoo.manifest.schema import Decoding
from zoo.trlspec.validation import depends_on_horizon, has_entropy_bonus

IDENTITY_VERSION = 1
UNPINNED = "unpinned"


def canonical(payload: Any) -> str:
    """One text for one meaning: sorted keys, whole floats as integers, no NaN."""
    return json.dumps(_plain(payload), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        items = cast("dict[Any, Any]", value).items()
        return {str(key): _plain(item) for key, item in items}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{type(value).__name__} has no stable form; give a plain value")


def digest(payload: Any, length: int = 10) -> str:
    """The first `length` hex digits of the SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()[:length]


def model_payload(model: ModelCard, model_digest: str) -> dict[str, Any]:
    """Fields of a model that affect results: its weights by content, its stop ids, and whether its
    repository's code computes it."""
    weights = (
        {"repo": model.repo, "revision": model.revision or UNPINNED}
        if model.repo
        else {"content": model_digest}
    )
    code = {"trust_remote_code": True} if model.trust_remote_code else {}
    random = {"random_weights": True} if model.random_weights else {}
    return {**weights, "stop_ids": sorted(model.stop_ids), **code, **random}


def reward_payload(reward: RewardCard) -> dict[str, Any]:
    """The parts of a reward that affect results; for the user's own function the source, not its
    path."""
    code = {"code": reward.code.digest} if reward.code else {}
    said: dict[str, Any] = {
        "version": reward.version,
        "extract": reward.extract,
        "params": reward.params,
    }
    return {"kind": reward.kind, **said, **code}


def batch_payload(batch: Batch) -> dict[str, int]:
    """Fields of a batch that affect results; a micro-batch only where the recipe pins it."""
    return batch.model_dump(exclude_none=True)


def peft_payload(peft: Peft) -> dict[str, Any]:
    """Fields of LoRA that affect results: all; the order of its modules does not matter."""
    return peft.model_dump() | {"target_modules": list(peft.modules) or ALL_LINEAR}


def train_payload(
    *,
    trainer: str,
    rounds: int,
    grpo: dict[str, Any],
    batch: Batch,
    peft: Peft | None = None,
    entropy_mean: str,
    model: ModelCard,
    model_digest: str,
    base: ModelCard | None,
    base_digest: str,
    data_digest: str,
    reward: RewardCard,
    prompt: PromptCard,
    rehearsal: dict[str, Any] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """The content of a training run, without where it runs.

    A checkpoint trained elsewhere is its weights, its base model and its prompt; how it was trained
    is unknown.
    """
    payload: dict[str, Any] = {
        "identity": IDENTITY_VERSION,
        "stage": "train",
        "trainer": trainer,
        "seed": seed,
        "model": model_payload(model, model_digest),
        "prompt": prompt.template,
    }
    if trainer == "external":
        assert base is not None
        return payload | {"base": model_payload(base, base_digest)}
    payload |= {
        "grpo": grpo,
        "batch": batch_payload(batch),
        "data": data_digest,
        "reward": reward_payload(reward),
    }
    if peft is not None:
        payload["peft"] = peft_payload(peft)
    if has_entropy_bonus(grpo):
        payload["entropy_mean"] = entropy_mean
    if depends_on_horizon(grpo):
        payload["rounds"] = rounds
    if rehearsal is not None:
        payload["rehearsal"] = rehearsal
    return payload


def digest_of(texts: dict[str, str], length: int = 10) -> str:
    """`digest` of a payload whose values are canonical texts already."""
    whole = ",".join(f'"{key}":{texts[key]}' for key in sorted(texts))
    return hashlib.sha256(f"{{{whole}}}".encode()).hexdigest()[:length]


def sample_payload(
    *,
    policy: dict[str, Any],
    round_: int,
    prompt: PromptCard,
    stop_ids: tuple[int, ...],
    max_tokens: int,
    benchmark_digest: str,
    problems: int | None,
    decoding: Decoding,
    stack: dict[str, str],
    samples: int = 1,
) -> dict[str, Any]:
    """What a set of completions is. `policy` is a model payload at round 0 (shared by all its
    trials), else a train id."""
    return {
        "identity": IDENTITY_VERSION,
        "stage": "sample",
        "policy": policy,
        "round": round_,
        "prompt": prompt.template,
        "stop_ids": sorted(stop_ids),
        "max_tokens": max_tokens,
        "benchmark": benchmark_digest,
        "problems": problems,
        "decoding": decoding.model_dump(exclude={"max_tokens"}),
        "stack": stack,
        **({"samples": samples} if samples > 1 else {}),
    }


def score_payload(sample_id: str, rule: str, grader_version: str) -> dict[str, Any]:
    """What a graded set of completions is."""
    return {
        "identity": IDENTITY_VERSION,
        "stage": "score",
        "sample": sample_id,
        "extract": rule,
        "grader": grader_version,
    }


def flat(payload: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """A payload as dotted names and their values, in the order of names."""
    if not (inside := as_mapping(payload)):
        return [(prefix.rstrip("."), payload)]
    return [row for key in sorted(inside) for row in flat(inside[key], f"{prefix}{key}.")]


def differences(old: Any, new: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    """Where two payloads differ: dotted name, old value, new value (None = absent)."""
    was, now = as_mapping(old), as_mapping(new)
    if was is not None and now is not None:
        return [
            found
            for key in sorted({*was, *now})
            for found in differences(was.get(key), now.get(key), f"{prefix}{key}.")
        ]
    return [] if canonical(old) == canonical(new) else [(prefix.rstrip("."), old, new)]
