"""Names that follow from content: what bears on a result is hashed, what does not never is.

In: recipe settings, batch, model (repo, revision or content, stop ids), prompt template, data
digest, reward numbers and version, trainer, seed; the horizon only where a schedule depends on it.
Out: compute, paths, dates, prose, evaluation. The payload is normalised before it is hashed (`1e-6`
and `0.000001`, `1` and `1.0` are one number) and stored beside the hash, so that "changed" can
always be answered with *which field*.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from zoo.catalog import Batch, ModelCard, PromptCard, RewardCard
from zoo.manifest.schema import Decoding

IDENTITY_VERSION = 0
UNPINNED = "unpinned"


def canonical(payload: Any) -> str:
    """One text for one meaning: sorted keys, whole floats as integers, no NaN."""
    return json.dumps(_plain(payload), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise TypeError(f"{type(value).__name__} has no stable form; give a plain value")


def digest(payload: Any, length: int = 10) -> str:
    """The first `length` hex digits of the SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(payload).encode()).hexdigest()[:length]


def model_payload(model: ModelCard, model_digest: str) -> dict[str, Any]:
    """What of a model bears on results: where its weights are by content, and what ends a
    response."""
    weights = (
        {"repo": model.repo, "revision": model.revision or UNPINNED}
        if model.repo
        else {"content": model_digest}
    )
    return {**weights, "stop_ids": sorted(model.stop_ids)}


def train_payload(
    *,
    trainer: str,
    seed: int,
    rounds: int,
    grpo: dict[str, Any],
    batch: Batch,
    model: ModelCard,
    model_digest: str,
    data_digest: str,
    reward: RewardCard,
    prompt: PromptCard,
) -> dict[str, Any]:
    """What a training run is, and nothing of where it runs."""
    payload: dict[str, Any] = {
        "identity": IDENTITY_VERSION,
        "stage": "train",
        "trainer": trainer,
        "seed": seed,
        "grpo": grpo,
        "batch": batch.model_dump(exclude_none=True),  # micro_batch: later than version 0
        "model": model_payload(model, model_digest),
        "data": data_digest,
        "reward": {
            "kind": reward.kind,
            "version": reward.version,
            "extract": reward.extract,
            "params": reward.params,
        },
        "prompt": prompt.template,
    }
    if grpo.get("lr_scheduler_type", "linear") not in ("constant", "constant_with_warmup"):
        payload["rounds"] = rounds
    return payload


def train_id(slug: str, payload: dict[str, Any]) -> str:
    """Readable part first, hash after."""
    return f"{slug}-{digest(payload)}"


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
    }


def score_payload(sample_id: str, policy: str, grader_version: str) -> dict[str, Any]:
    """What a graded set of completions is."""
    return {
        "identity": IDENTITY_VERSION,
        "stage": "score",
        "sample": sample_id,
        "extract": policy,
        "grader": grader_version,
    }


def changed_fields(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two payloads differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            name
            for key in sorted({*old, *new})
            for name in changed_fields(old.get(key), new.get(key), f"{prefix}{key}.")
        ]
    return [] if canonical(old) == canonical(new) else [prefix.rstrip(".")]
