"""The real trainer: TRL's GRPOTrainer with an engine (vLLM, or transformers) in the same process,
driven by a session.

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
from zoo.resources import longest_sequence, place
from zoo.resources.placement import DRIVEN_GPUS
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
    trial, profile = session.trial, session.job.profile
    guarded = reward_of(trial.reward, trial.batch.completions)
    session.saves.account(guarded)
    make = _trainer_class(profile)  # before anything else of TRL is imported
    from trl import GRPOConfig

    from zoo.train.base_divergence import open_divergence
    from zoo.train.callbacks import Reseed, Rounds
    from zoo.train.policy import completion_text, load_policy, save_weights
    from zoo.train.reward_bridge import RewardBridge

    model, tokenizer = load_policy(model_folder(trial.model), trial.model.stop_ids)
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
        tokenizer.eos_token_id,
    )
    trainer: Any = make(
        model=model,
        reward_funcs=[reward],
        args=GRPOConfig(**arguments),
        train_dataset=_dataset(session),
        processing_class=tokenizer,
        callbacks=[Reseed()],
    )

    trainer.entropy_over_update = trial.entropy_mean == "update"
    trainer.phases = session.phases
    sampler = _live_sampler(session, trainer, tokenizer)

    def keep(folder: Path) -> None:
        save_weights(trainer.model, profile.engine_dtype, folder)
        tokenizer.save_pretrained(folder)

    if resumed is None:
        session.log_round(0, {})
        session.evaluate(0, sampler)
    trainer.add_callback(
        Rounds(
            session,
            updates,
            sampler,
            keep,
            trainer.save_state,
            guard=profile.device == "cpu",
            divergence=open_divergence(session, trainer, sampler, resumed=resumed is not None),
        )
    )
    session.train_rounds()
    trainer.train(resume_from_checkpoint=str(resumed.folder) if resumed else None)


def _trainer_class(profile: ComputeProfile) -> Any:
    """The trainer of a profile's engine, which is made ready."""
    if profile.engine == "transformers":
        from zoo.train.transformers_engine import hide_vllm

        hide_vllm()
        from zoo.train.transformers_trainer import TransformersTrainer

        return TransformersTrainer
    from zoo.train.engine import fix_engine_dtype, keep_plain_weights_on_cpu

    if profile.device == "cpu":
        keep_plain_weights_on_cpu()
    fix_engine_dtype(profile.engine_dtype)
    from zoo.train.resumable import ResumableTrainer

    return ResumableTrainer


def _live_sampler(session: Session, trainer: Any, tokenizer: Any) -> SamplerFactory:
    """Samples for evaluation with the weights that are being trained."""
    if session.job.profile.engine == "transformers":
        from zoo.train.transformers_engine import TransformersSampler

        model = trainer.accelerator.unwrap_model(trainer.model)
        job = session.job
        trainer.generator = _generator(job.trial, job.profile, job.longest_prompt, model, tokenizer)
        return lambda: TransformersSampler(trainer.generator)
    from zoo.train.engine import EngineSampler

    def sampler() -> Sampler:
        trainer.vllm_generation.sync_weights()
        stop_ids = session.trial.model.stop_ids
        return EngineSampler(trainer.vllm_generation.llm, tokenizer, stop_ids)

    return sampler


def _generator(
    trial: Trial, profile: ComputeProfile, longest_prompt: int | None, model: Any, tokenizer: Any
) -> Any:
    """Generates with a model of `load_policy`, as the trial's profile says."""
    from zoo.train.policy import end_ids
    from zoo.train.transformers_engine import Generator, mixed_precision

    placed = place(trial, profile, gpus=DRIVEN_GPUS, prompt=longest_prompt)
    context = longest_sequence(trial, model.config.max_position_embeddings, longest_prompt)
    return Generator(
        model,
        tokenizer,
        end_ids(model),
        context=context,
        batch=placed.generation_batch,
        dtype=mixed_precision(trial.grpo),
    )


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
    """An engine of its own over stored weights, started when the first sample is needed and ended
    with its memory given back."""
    made: list[Any] = []

    def sampler() -> Sampler:
        if not made:
            made.append(_start_engine(session, folder))
        return made[0]

    try:
        yield sampler
    finally:
        if made:
            made.pop().end()


def _start_engine(session: Session, folder: Path | None) -> Any:
    job = session.job
    return stored_sampler(session.trial, job.profile, folder, session.folder, job.longest_prompt)


def stored_sampler(
    trial: Trial,
    profile: ComputeProfile,
    folder: Path | None,
    output: Path,
    longest_prompt: int | None,
) -> Any:
    """A sampler with an engine of its own over the weights in `folder`, sized as the live one of
    the trial is; its `end` gives the memory back. Nothing is written to `output`."""
    if profile.engine == "transformers":
        from zoo.train.policy import load_policy
        from zoo.train.transformers_engine import TransformersSampler

        model, tokenizer = load_policy(folder or Path(), trial.model.stop_ids)
        on = model.to(profile.device)
        return TransformersSampler(_generator(trial, profile, longest_prompt, on, tokenizer))
    from transformers import AutoConfig, AutoTokenizer

    from zoo.train.engine import EngineSampler, keep_plain_weights_on_cpu, start_engine

    if profile.device == "cpu":
        keep_plain_weights_on_cpu()
    context = AutoConfig.from_pretrained(folder).max_position_embeddings
    live = grpo_arguments(trial, profile, output, context, longest_prompt)
    llm = start_engine(str(folder), engine_arguments(live, profile.engine_dtype))
    return EngineSampler(llm, AutoTokenizer.from_pretrained(folder), trial.model.stop_ids)
