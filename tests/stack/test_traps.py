"""What stock TRL with vLLM does behind one's back, and that zoo does not: seeds, precision, stale
engines, saves. Each test fails where the code that handles it is taken away."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForCausalLM, TrainerState
from trl import GRPOConfig

from tests.support import simulated
from tests.support.pocket_trainer import BASE, pocket_trainer
from tests.support.trials import finish, manifest, start, trials_of
from zoo.errors import TrialError
from zoo.launching.task import write_task
from zoo.store import journal, record
from zoo.store.run_store import Store
from zoo.train.assembly import ALIVE, SAVE, Assembly
from zoo.train.callbacks import LOGP_KEY, LOGP_LIMIT, Reseed, Rounds, is_alive
from zoo.train.endings import Stopped
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.train.session_lifecycle import open_session
from zoo.trainer.policy import load_policy, save_weights
from zoo.trainer.resumable import ResumableTrainer
from zoo.trainer.team import Team
from zoo.trainer.team_sampler import TeamSampler

pytestmark = pytest.mark.usefixtures("one_thread")

STALE = (
    "import trl.generation.vllm_generation as stock\n"
    "stock.VLLMGeneration.sync_weights = lambda self: None\n"
    "from zoo.train.entry import main\n"
    "main()"
)
"""A trial whose engine never gets the trainer's weights."""


class Runs(NamedTuple):
    """Real trials: two seeds with the same order of prompts, and one with a stale engine."""

    seeds: list[Path]
    stale: Path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    top = tmp_path_factory.mktemp("traps")
    store = Store(top / "runs")
    same = "1\nseeds: [1, 2]\ngrpo: {shuffle_dataset: false}"
    seeds = trials_of(manifest(top, "seeds", model="pocket-llama", rounds=same, evaluate="{}"))
    far = "3\ngrpo: {learning_rate: 1.0e-2}"
    (stale,) = trials_of(manifest(top, "stale", rounds=far, evaluate="{}"))
    started = [start(trial, store) for trial in seeds]
    process = start(stale, store, ("-c", STALE))
    folders = [finish(p, trial, store) for p, trial in zip(started, seeds, strict=True)]
    assert process.wait(timeout=280) == 1
    return Runs(folders, store.train(stale.id))


@pytest.fixture(scope="module")
def model() -> Any:
    return AutoModelForCausalLM.from_pretrained(BASE, dtype="float32")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Of a simulated trial of three rounds; whoever trains, it is the same."""
    (task,) = simulated.make(tmp_path, models="pocket-mistral", rewards="correctness").tasks()
    with open_session(Job.read(write_task(task))) as made:
        yield made


def unused(*_: Any) -> Any:
    raise AssertionError("nothing is sampled or kept here")


def save(folder: Path) -> None:
    """What training would continue from."""
    (folder / "model.safetensors").write_bytes(b"weights")


def log(session: Session, model: Any, *, guard: bool = True, **logs: float) -> None:
    """One update of round 1, which is its last."""
    session.begin()
    team = Team()
    team.handlers |= {SAVE: save, ALIVE: lambda: is_alive(model)}
    device = {"device": "cpu" if guard else "cuda"}
    profile = session.job.profile.model_copy(update=device)
    engines = TeamSampler(team, unused, unused)
    rounds = Rounds(session, Assembly(session.trial, profile, None, team, engines, 1))
    said = {"loss": 0.1, "grad_norm": 1.0} | logs
    rounds.on_log(None, TrainerState(global_step=1), None, said, model=model)


# -- seeds ----------------------------------------------------------------------------------------


def test_seeds_of_a_trial_sample_different_responses_to_the_same_prompts(runs: Runs) -> None:
    one, other = (
        pq.read_table(folder / "rollouts/round-0001.parquet").to_pydict() for folder in runs.seeds
    )
    assert one["prompt"] == other["prompt"]
    assert one["token_ids"] != other["token_ids"]


def test_training_begins_at_the_generators_of_its_seed_whatever_the_engine_left() -> None:
    def drawn(left: int, seed: int) -> tuple[float, float, float]:
        random.seed(left)
        np.random.seed(left)
        torch.manual_seed(left)
        Reseed().on_train_begin(GRPOConfig(seed=seed, use_cpu=True, bf16=False), None, None)
        return random.random(), float(np.random.rand()), float(torch.rand(()))

    assert drawn(0, 1) == drawn(7, 1)
    assert all(a != b for a, b in zip(drawn(0, 1), drawn(0, 2), strict=True))


# -- an engine with other weights, a policy without numbers ---------------------------------------


def test_engine_that_does_not_get_the_trainers_weights_fails_the_trial(runs: Runs) -> None:
    found = record.read(runs.stale)
    assert found is not None
    assert (found.state, found.failure_class) == ("failed", "mismatch")
    assert "the engine does not have the trainer's weights" in found.message
    last = journal.read(runs.stale / "metrics.jsonl")[-1]
    assert last["metrics"][LOGP_KEY] > LOGP_LIMIT
    assert last["round"] >= 2  # in the first both hold the base model


@pytest.mark.parametrize(
    ("guard", "difference", "fails"),
    [(True, 0.11, True), (True, 0.09, False), (False, 0.11, False)],
)
def test_difference_beyond_the_limit_fails_a_guarded_trial_and_is_logged(
    session: Session, model: Any, guard: bool, difference: float, fails: bool
) -> None:
    said = {LOGP_KEY.removeprefix("train/"): difference}
    if fails:
        with pytest.raises(TrialError, match=r"differ by 0\.110 nats a token \(limit 0\.1\)"):
            log(session, model, guard=guard, **said)
    else:
        log(session, model, guard=guard, **said)
    (row,) = journal.read(session.folder / "metrics.jsonl")
    assert row["metrics"][LOGP_KEY] == difference


def test_policy_with_finite_weights_and_no_finite_logits_ends_training(
    session: Session, model: Any
) -> None:
    broken = AutoModelForCausalLM.from_pretrained(BASE, dtype="float32").train()
    with torch.no_grad():
        broken.model.norm.weight *= 1e30  # and what multiplies it, the tied embeddings
        broken.lm_head.weight *= 1e10
    assert all(torch.isfinite(parameter).all() for parameter in broken.parameters())
    assert is_alive(model)
    assert not is_alive(broken)
    assert broken.training
    with pytest.raises(Stopped, match="round 1: the policy computes no finite numbers"):
        log(session, broken)


# -- precision ------------------------------------------------------------------------------------


def test_weights_are_trained_in_float32_whatever_their_folder_says(tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(BASE, folder)
    half = AutoModelForCausalLM.from_pretrained(BASE, dtype="bfloat16")
    half.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    loaded, _ = load_policy(folder, [])
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def test_weights_are_kept_as_the_engine_has_them_and_trained_on_as_they_are(
    tmp_path: Path, model: Any
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_weights(model, "bfloat16", tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    kept = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="auto").state_dict()
    for name, value in before.items():
        assert kept[name].dtype == torch.bfloat16
        assert torch.equal(kept[name], value.to(torch.bfloat16)), name
        assert torch.equal(model.state_dict()[name], value), name
    assert "float32" in str(model.config.dtype)
    assert (tmp_path / "model.safetensors").stat().st_size < 0.6 * size(Path(BASE))


def size(folder: Path) -> int:
    return (folder / "model.safetensors").stat().st_size


# -- saves ----------------------------------------------------------------------------------------


def test_checkpoint_has_what_training_continues_from_and_no_page_for_the_hub(
    tmp_path: Path,
) -> None:
    trainer: ResumableTrainer = pocket_trainer(
        ResumableTrainer,
        tmp_path / "out",
        reward=lambda completions, **_: [float(len(text)) for text in completions],
        per_device_train_batch_size=4,
        max_completion_length=4,
        max_steps=1,
    )
    trainer.train()
    folder = tmp_path / "state"
    folder.mkdir()
    trainer.save_state(folder)
    names = {path.name for path in folder.iterdir()}
    state = {"training_state.safetensors", "training_state.json", "trainer_state.json"}
    assert names >= {"model.safetensors", *state}
    pages = [path for path in tmp_path.rglob("README.md")]
    assert pages == []
