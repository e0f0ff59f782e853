"""KL(base || policy) on stored responses of the base, on a pocket model."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.support import simulated
from tests.support.pocket_trainer import BASE, pocket_trainer
from zoo.evals.stages import Generation
from zoo.launching.task import write_task
from zoo.manifest.schema import Decoding
from zoo.store.parquet import read_parquet, write_parquet
from zoo.train.assembly import LOGPS, Assembly
from zoo.train.base_divergence import (
    COUNT,
    FILE,
    BaseDivergence,
    log_probabilities,
    mean_log_ratio,
    open_divergence,
    seed_of,
)
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.train.session_lifecycle import open_session
from zoo.trainer.resumable import ResumableTrainer
from zoo.trainer.team import Team
from zoo.trainer.team_sampler import PromptShare, TeamSampler

pytestmark = pytest.mark.usefixtures("one_thread")

WATCH = "  watch: {benchmarks: [pocket-easy], problems: 4, every: 2, decodings: [t1.0]}\n"


def trainer_of(folder: Path, **said: Any) -> ResumableTrainer:
    """A trainer of a pocket model without a reference model (`beta` 0)."""
    said = {"per_device_train_batch_size": 8} | said
    return pocket_trainer(ResumableTrainer, folder, prompts=100, **said)


def sample(
    prompts: list[str], decoding: Decoding, cap: int, seed: int, part: PromptShare
) -> list[Generation]:
    """Responses of 1 to 9 tokens that follow from the seed."""
    drawn = random.Random(seed)
    lengths = [drawn.randint(1, 9) for _ in prompts]
    return [Generation("", [drawn.randint(5, 20) for _ in range(n)], "stop") for n in lengths]


def assembly(session: Session, trainer: ResumableTrainer) -> Assembly:
    """A trainer with an engine that makes responses up."""
    team = Team()
    team.handlers[LOGPS] = partial(log_probabilities, trainer)
    engines = TeamSampler(team, sample, lambda: None)
    return Assembly(session.trial, session.job.profile, trainer, team, engines, 1)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """A trial whose `watch` measures after every second round of six."""
    (task,) = simulated.make(
        tmp_path, models="pocket-mistral", rewards="correctness", rounds=6, more=WATCH
    ).tasks()
    with open_session(Job.read(write_task(task))) as made:
        yield made


def opened(session: Session, trainer: ResumableTrainer, *, resumed: bool = False) -> BaseDivergence:
    found = open_divergence(session, assembly(session, trainer), resumed=resumed)
    assert found is not None
    return found


def moved(trainer: ResumableTrainer) -> None:
    """Move the policy away from its base."""
    drawn = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=drawn)


def own_logps(model: Any, prompt: list[int], ids: list[int]) -> torch.Tensor:
    """Log-probabilities of a response, one response at a time and without TRL."""
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prompt + ids])).logits[0]
    rows = torch.log_softmax(logits.double(), dim=-1)[len(prompt) - 1 : -1]
    return rows.gather(1, torch.tensor(ids).unsqueeze(1)).squeeze(1)


def test_divergence_of_the_base_is_zero_and_of_a_moved_policy_that_of_its_definition(
    session: Session, tmp_path: Path
) -> None:
    trainer = trainer_of(tmp_path)
    divergence = opened(session, trainer)
    assert divergence.rounds == {2, 4, 6}
    assert divergence.measure() == 0.0
    moved(trainer)
    rows = read_parquet(session.folder / FILE)
    assert len(rows["token_ids"]) == COUNT
    base = AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")
    policy = AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")
    policy.load_state_dict(trainer.model.state_dict())
    pairs = list(zip(rows["prompt_ids"], rows["token_ids"], strict=True))
    terms = [own_logps(base, *pair) - own_logps(policy, *pair) for pair in pairs]
    expected = float(torch.cat(terms).mean())
    assert abs(expected) > 0.01  # of any sign: these responses are not the base model's
    assert divergence.measure() == pytest.approx(expected, rel=1e-4)


def test_direction_is_base_less_policy_over_all_tokens() -> None:
    assert mean_log_ratio([[-1.0, -2.0], [-3.0]], [[-2.0, -4.0], [-3.0]]) == 1.0


def test_measuring_moves_no_generator_no_weight_and_no_mode(
    session: Session, tmp_path: Path
) -> None:
    trainer = trainer_of(tmp_path, temperature=0.7)
    trainer.model.train()
    weights = {name: p.clone() for name, p in trainer.model.named_parameters()}
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    opened(session, trainer).measure()
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()
    assert torch.equal(torch.get_rng_state(), states[2])
    assert trainer.model.training
    assert all(torch.equal(p, weights[name]) for name, p in trainer.model.named_parameters())
    assert not trainer._metrics["train"]


def test_dropout_of_training_does_not_touch_what_is_measured(
    session: Session, tmp_path: Path
) -> None:
    trainer = trainer_of(tmp_path)
    for module in trainer.model.modules():
        if hasattr(module, "attention_dropout"):
            module.attention_dropout = 0.5
    trainer.model.train()
    divergence = opened(session, trainer)
    torch.rand(())  # else dropout would drop the same again
    assert divergence.measure() == 0.0


def test_lost_or_damaged_file_is_made_again_and_the_log_says_so(
    session: Session, tmp_path: Path
) -> None:
    path, log = session.folder / FILE, session.folder / "log.txt"
    opened(session, trainer_of(tmp_path))
    first = read_parquet(path)
    assert not log.exists() or FILE not in log.read_text()

    stored = {**first, "logps": [[0.0] * len(row) for row in first["logps"]]}
    write_parquet(path, stored)
    opened(session, trainer_of(tmp_path), resumed=True)
    assert read_parquet(path) == stored  # what is there is used as it is

    for damage in ("gone", "torn", "short"):
        if damage == "gone":
            path.unlink()
        elif damage == "torn":
            path.write_bytes(path.read_bytes()[:200])
        else:
            write_parquet(path, {**first, "logps": [row[1:] for row in first["logps"]]})
        opened(session, trainer_of(tmp_path), resumed=True)
        assert read_parquet(path) == first, damage
    told = log.read_text().splitlines()
    words = ("is gone", "cannot be read", "is damaged")
    assert all(word in line for word, line in zip(words, told, strict=True))
    assert all("sampled again" in line for line in told)


def test_arms_of_one_base_share_their_responses(session: Session) -> None:
    trial = session.trial
    other = trial.model_copy(update={"seed": trial.seed + 1, "grpo": trial.grpo | {"beta": 0.1}})
    assert seed_of(other) == seed_of(trial)
    assert seed_of(trial.model_copy(update={"model_digest": "another"})) != seed_of(trial)


def test_without_watch_nothing_is_stored(tmp_path: Path) -> None:
    (task, *_) = simulated.make(tmp_path, models="pocket-mistral").tasks()
    with open_session(Job.read(write_task(task))) as session:
        made = assembly(session, trainer_of(tmp_path))
        found = open_divergence(session, made, resumed=False)
        assert found is None
        assert not (session.folder / FILE).exists()


def test_log_probabilities_do_not_depend_on_what_they_are_padded_with(tmp_path: Path) -> None:
    trainer = trainer_of(tmp_path)
    prompts, responses = [[5, 6, 7], [8]], [[9, 10], [11, 12, 13, 14, 15]]
    together = log_probabilities(trainer, prompts, responses)
    for i in range(2):
        (alone,) = log_probabilities(trainer, prompts[i : i + 1], responses[i : i + 1])
        assert together[i] == pytest.approx(alone, abs=1e-5)
