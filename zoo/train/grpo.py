"""The real trainer: TRL's GRPOTrainer with vLLM in the same process, driven by a session.

What config cannot say is done here and nowhere else: the CPU patch of vLLM, stop ids that TRL also
counts as an end, unscored completions that it must not train on, re-seeding after the engine's
start, and evaluation through the live engine between rounds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.data import load, model_folder, render
from zoo.data.resolve import LocalResolver
from zoo.errors import FailureClass, TrialError
from zoo.evals.stages import Sampler
from zoo.rewards.lookup import reward_of
from zoo.runs.checkpoints import Checkpoint
from zoo.runs.due import Due
from zoo.train.grpo_config import engine_arguments, grpo_arguments
from zoo.train.session import SamplerFactory, Session
from zoo.trials.trial import Trial


def train(session: Session) -> None:
    """Train a trial from its base model; measure a checkpoint beside its base where somebody else
    trained."""
    _check_inputs(session)
    session.phase("loading")
    resumed = session.begin()
    if session.trial.trainer == "external":
        _measure_external(session)
    else:
        _train(session, resumed)


def measure(session: Session, missing: list[Due]) -> None:
    """Measure evaluations that came after training, from the weights that were kept."""
    _check_inputs(session)
    for round_ in sorted({round_ for _, round_ in missing}):
        with _engine(session, _weights(session, round_)) as sampler:
            for evaluation, at in missing:
                if at == round_:
                    session.evaluate_one(evaluation, round_, sampler)


def _check_inputs(session: Session) -> None:
    """What lies on disk must be what the trial was planned with."""
    resolver, trial = LocalResolver(session.job.store.cache), session.trial
    looked = [(f"model '{trial.model.name}'", resolver.model(trial.model), trial.model_digest)]
    if trial.base is not None:
        looked.append((f"model '{trial.base.name}'", resolver.model(trial.base), trial.base_digest))
    if trial.trainer != "external":
        found = resolver.problems(trial.data)
        looked.append((f"data '{trial.data.name}'", found, trial.data_digest))
    for what, found, planned in looked:
        if found != planned:
            raise TrialError(
                FailureClass.DATA,
                f"{what} changed since the plan ({planned} -> {found}); plan again",
            )


def _train(session: Session, resumed: Checkpoint | None) -> None:
    from zoo.train.callbacks import Reseed, Rounds
    from zoo.train.engine import (
        EngineSampler,
        completion_text,
        fix_engine_dtype,
        keep_plain_weights_on_cpu,
        save_weights,
    )
    from zoo.train.reward_bridge import RewardBridge

    trial, profile = session.trial, session.job.profile
    guarded = reward_of(trial.reward, trial.batch.completions)
    session.saves.account(guarded)
    if profile.device == "cpu":
        keep_plain_weights_on_cpu()
    fix_engine_dtype(profile.engine_dtype)
    from trl import GRPOConfig

    from zoo.train.resumable import ResumableTrainer

    model, tokenizer = _load(session)
    arguments = grpo_arguments(
        trial,
        profile,
        session.folder / "checkpoints",
        model.config.max_position_embeddings,
        session.job.longest_prompt,
    )
    updates = trial.batch.updates * int(trial.grpo.get("num_iterations", 1))
    reward = RewardBridge(
        session,
        guarded,
        lambda: trainer.eos_token_ids,
        partial(completion_text, tokenizer),
        updates,
    )
    trainer: Any = ResumableTrainer(
        model=model,
        reward_funcs=[reward],
        args=GRPOConfig(**arguments),
        train_dataset=_dataset(session),
        processing_class=tokenizer,
        callbacks=[Reseed()],
    )

    trainer.entropy_over_update = trial.entropy_mean == "update"

    def sampler() -> Sampler:
        trainer.vllm_generation.sync_weights()
        return EngineSampler(trainer.vllm_generation.llm, tokenizer, trial.model.stop_ids)

    def keep(folder: Path) -> None:
        save_weights(trainer.model, profile.engine_dtype, folder)
        tokenizer.save_pretrained(folder)

    guard = profile.device == "cpu"
    trainer.add_callback(Rounds(session, updates, sampler, keep, trainer.save_state, guard=guard))
    if resumed is None:
        session.log_round(0, {})
        session.evaluate(0, sampler)
    session.train_rounds()
    trainer.train(resume_from_checkpoint=str(resumed.folder) if resumed else None)


def _load(session: Session) -> tuple[Any, Any]:
    """Model and tokenizer from the local folder; the card's stop ids join its end ids."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model_folder(session.trial.model)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", use_safetensors=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.eos_token_id is None:
        raise TrialError(
            FailureClass.CONFIG,
            f"{folder}: the tokenizer names no end token; no response could ever end",
        )
    ends = model.generation_config.eos_token_id
    ends = [ends] if isinstance(ends, int) else list(ends or [])
    model.generation_config.eos_token_id = list(
        dict.fromkeys([tokenizer.eos_token_id, *ends, *session.trial.model.stop_ids])
    )
    return model, tokenizer


def _dataset(session: Session) -> Any:
    from datasets import Dataset

    problems = load(session.trial.data, session.job.store.cache)
    prompt = session.trial.prompt
    wanted = session.trial.batch.prompts
    if len(problems) < wanted:
        raise TrialError(
            FailureClass.DATA,
            f"{len(problems)} problems for rounds of {wanted}; use fewer `batch.prompts`",
        )
    rows = [
        {"prompt": render(prompt, p), "gold": p.answer, "problem_id": p.id, "level": p.level}
        for p in problems
    ]
    return Dataset.from_list(rows)


def _weights(session: Session, round_: int) -> Path | None:
    """Folder of the policy after `round_`, where it was kept (the base model always is)."""
    trial = session.trial
    folder = session.job.store.checkpoint(trial.id, round_, session.branch)
    if round_ == 0:
        folder = model_folder(trial.start)
    elif trial.trainer == "external" and round_ == trial.rounds:
        folder = model_folder(trial.model)
    return folder if (folder / "config.json").is_file() else None


def _measure_external(session: Session) -> None:
    """Measure the base model and the checkpoint that somebody else made of it."""
    for round_ in (0, session.trial.rounds):
        with _engine(session, _weights(session, round_)) as sampler:
            session.log_round(round_, {})
            session.evaluate(round_, sampler)


@contextmanager
def _engine(session: Session, folder: Path | None) -> Iterator[SamplerFactory]:
    """A vLLM engine of its own over stored weights, started when the first sample is needed and
    ended with its memory given back."""
    made: list[Sampler] = []

    def sampler() -> Sampler:
        if not made:
            made.append(_start_engine(session, folder))
        return made[0]

    try:
        yield sampler
    finally:
        if made:
            from zoo.train.engine import end_engine

            end_engine(made.pop())


def _start_engine(session: Session, folder: Path | None) -> Sampler:
    job = session.job
    return stored_sampler(session.trial, job.profile, folder, session.folder, job.longest_prompt)


def stored_sampler(
    trial: Trial,
    profile: ComputeProfile,
    folder: Path | None,
    output: Path,
    longest_prompt: int | None,
) -> Sampler:
    """A sampler with an engine of its own over the weights in `folder`, sized as the live one of
    the trial is. Nothing is written to `output`."""
    from transformers import AutoConfig, AutoTokenizer

    from zoo.train.engine import EngineSampler, keep_plain_weights_on_cpu, start_engine

    if profile.device == "cpu":
        keep_plain_weights_on_cpu()
    context = AutoConfig.from_pretrained(folder).max_position_embeddings
    live = grpo_arguments(trial, profile, output, context, longest_prompt)
    llm = start_engine(str(folder), engine_arguments(live, profile.engine_dtype))
    return EngineSampler(llm, AutoTokenizer.from_pretrained(folder), trial.model.stop_ids)
