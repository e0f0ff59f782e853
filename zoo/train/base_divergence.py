"""Divergence of the policy from its base model: KL(base || policy), in nats a token, without a
second model in memory.

64 responses of the base model to training prompts are sampled at round 0, at the temperature of
training and with nothing cut off (top-p 1), and stored with the base's log-probabilities in
`base_completions.parquet`. After a round at which `watch` evaluates, the policy's log-probabilities
of them are computed, and the mean of log base - log policy over all tokens is logged: it estimates
E_base[log base - log policy]. TRL's `kl` is the other direction, KL(policy || reference), on
responses of the policy, and is logged only with `beta`. Log-probabilities are the trainer's, not
the engine's, so the base itself is at 0.

The responses depend on base model, prompt, data and limits and not on the arm. A missing or
damaged file is rebuilt before a checkpoint is loaded, while the trainer still has the
base; the trial's log notes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from trl.trainer.utils import pad

from zoo.errors import StateError
from zoo.manifest.schema import Decoding
from zoo.store.parquet import read_parquet, write_parquet
from zoo.train.session import Session
from zoo.trainer.engine import same_randomness_after
from zoo.trials.identity import digest
from zoo.trials.metrics import watched_rounds
from zoo.trials.trial import Trial

if TYPE_CHECKING:
    from zoo.train.assembly import Assembly

COUNT = 64
FILE = "base_completions.parquet"
Tokens = list[list[int]]
LogPs = Callable[[Tokens, Tokens], list[list[float]]]
"""Prompts and responses -> log-probabilities of the responses' tokens, in nats."""


class BaseDivergence:
    """N responses of the base model with its log-probabilities, N <= 64."""

    def __init__(self, logps: LogPs, rows: dict[str, list[Any]], rounds: Sequence[int]) -> None:
        self.logps, self.rows, self.rounds = logps, rows, frozenset(rounds)

    def measure(self) -> float:
        """KL(base || policy) of the policy as it is now, in nats a token."""
        now = self.logps(self.rows["prompt_ids"], self.rows["token_ids"])
        return mean_log_ratio(self.rows["logps"], now)


def mean_log_ratio(base: Sequence[Sequence[float]], policy: Sequence[Sequence[float]]) -> float:
    """Mean over all tokens of all responses of log base - log policy, in nats."""
    pairs = [pair for b, p in zip(base, policy, strict=True) for pair in zip(b, p, strict=True)]
    return sum(b - p for b, p in pairs) / len(pairs)


def open_divergence(session: Session, made: Assembly, *, resumed: bool) -> BaseDivergence | None:
    """The base's responses of a trial, generated where missing; None where no `watch`
    evaluates. Call it while the trainer has the base model. Moves no random generator.
    """
    rounds = watched_rounds(session.trial.evaluations)
    if not rounds:
        return None
    path = session.folder / FILE
    rows = _stored(path, session, expected=resumed)
    if rows is None:
        if resumed and made.sharded:
            session.saves.say("train/kl_base_policy ends: the trainer has no base model")
            return None
        rows = _sample(session.trial, made)
        write_parquet(path, rows)
    return BaseDivergence(made.logps, rows, rounds)


def _stored(path: Path, session: Session, *, expected: bool) -> dict[str, list[Any]] | None:
    """The responses stored by an earlier launch; None if missing or unusable."""
    if not path.exists() and not expected:
        return None
    try:
        rows = read_parquet(path, ["prompt_ids", "token_ids", "logps"])
    except StateError as error:
        session.saves.say(f"{error}; the base model's responses are sampled again")
        return None
    if [len(ids) for ids in rows["token_ids"]] == [len(logps) for logps in rows["logps"]]:
        return rows
    session.saves.say(f"{path} is damaged; the base model's responses are sampled again")
    return None


def _sample(trial: Trial, made: Assembly) -> dict[str, list[Any]]:
    """Responses of the trainer's current model, and its log-probabilities of them."""
    problems = made.trainer.train_dataset
    count = min(COUNT, len(problems))
    prompts = [problems[i * len(problems) // count]["prompt"] for i in range(count)]
    prompts = [prompts[i % count] for i in range(COUNT)]
    decoding = Decoding(temperature=float(trial.grpo["temperature"]), top_p=1.0)
    found = made.sampler()(prompts, [], decoding, trial.cap, seed_of(trial))
    tokens = [response.token_ids for response in found]
    prompt_ids: Tokens = made.trainer.processing_class(prompts)["input_ids"]
    return {
        "prompt_ids": prompt_ids,
        "token_ids": tokens,
        "logps": made.logps(prompt_ids, tokens),
    }


def seed_of(trial: Trial) -> int:
    """The seed of the base's responses: the same for all arms of a base, prompt and data."""
    what = [trial.model_digest, trial.data_digest, trial.prompt.model_dump(mode="json"), trial.cap]
    return int(digest(["base completions", *what], 8), 16) % 2**31


@torch.no_grad()
def log_probabilities(trainer: Any, prompt_ids: Tokens, token_ids: Tokens) -> list[list[float]]:
    """Log-probabilities of the tokens of N responses under the current model of a GRPOTrainer, in
    nats, at the temperature of training."""
    model, filler = trainer.model, trainer.processing_class.pad_token_id
    prompts = [torch.tensor(ids) for ids in prompt_ids]
    responses = [torch.tensor(ids) for ids in token_ids]
    parts = [(prompts, "left"), (responses, "right")]
    ids = torch.cat([pad(rows, filler, side) for rows, side in parts], dim=1)
    masks = [([torch.ones_like(row) for row in rows], side) for rows, side in parts]
    mask = torch.cat([pad(rows, 0, side) for rows, side in masks], dim=1)
    width = max(len(row) for row in responses)
    training = model.training
    model.eval()  # draws nothing at random
    try:
        with same_randomness_after():
            found, _, _ = trainer._get_per_token_logps_and_entropies(
                model,
                ids.to(model.device),
                mask.to(model.device),
                width,
                batch_size=trainer.args.per_device_train_batch_size,
            )
    finally:
        model.train(training)
    rows = found.float().cpu().tolist()
    return [row[: len(response)] for row, response in zip(rows, responses, strict=True)]
