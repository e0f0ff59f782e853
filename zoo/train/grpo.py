"""The real trainer: TRL's GRPOTrainer with an engine (vLLM, or transformers) in the same process,
driven by a session.

Everything that configuration cannot express is done here and nowhere else: the CPU patch of vLLM,
stop ids that TRL also counts as an end, unscored completions that it must not train on, re-seeding
after the engine's start, and evaluation through the live engine between rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.data import model_folder
from zoo.data.resolve import LocalResolver
from zoo.errors import FailureClass, TrialError
from zoo.evals.stages import Graders, Sampler
from zoo.resources import engine_trial
from zoo.rewards.lookup import reward_of
from zoo.runs.checkpoints import Checkpoint
from zoo.runs.due import Due
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.trainer.grpo_config import engine_arguments, grpo_arguments
from zoo.trials.trial import Trial


def train(session: Session) -> None:
    """Train a trial from its base model; for a checkpoint trained elsewhere, evaluate it and its
    base."""
    _check_inputs(session)
    session.phase("loading")
    resumed = session.begin()
    if session.trial.trainer == "external":
        _measure_external(session)
    else:
        _train(session, resumed)


def measure(session: Session, missing: list[Due]) -> None:
    """Run evaluations that were added after training, from stored weights."""
    _check_inputs(session)
    for round_ in sorted({round_ for _, round_ in missing}):
        with _engine(session, _weights(session, round_)) as sampler:
            for evaluation, at in missing:
                if at == round_:
                    session.evaluate_one(evaluation, round_, sampler)


def _check_inputs(session: Session) -> None:
    """Model and data on disk must match the plan of the trial."""
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
    from zoo.train.assembly import assemble
    from zoo.train.base_divergence import open_divergence
    from zoo.train.callbacks import Rounds

    trial = session.trial
    guarded = reward_of(trial.reward, trial.batch.completions)
    session.saves.account(guarded)
    made = assemble(session.job, session.folder, guarded, session.bench.grader, session)
    checkpoint = made.team.share(str(resumed.folder) if resumed else None)
    rounds = Rounds(session, made)

    def begin() -> None:
        """Evaluate the base model, while the trainer has it."""
        if resumed is None:
            session.log_round(0, {})
            session.evaluate(0, made.sampler)
        rounds.divergence = open_divergence(session, made, resumed=resumed is not None)
        made.team.over(ended=False)
        session.train_rounds()

    made.train(checkpoint, rounds, begin)


def follow(job: Job) -> None:
    """Train as another process than the trial's first."""
    from zoo.train.assembly import assemble
    from zoo.train.callbacks import FollowRounds

    guarded = reward_of(job.trial.reward, job.trial.batch.completions)
    with closing(Graders()) as graders:
        made = assemble(job, job.store.train(job.trial.id), guarded, graders, None)
        checkpoint = made.team.share(None)
        made.train(checkpoint, FollowRounds(made), made.team.follow)


def _weights(session: Session, round_: int) -> Path | None:
    """Folder of the policy after `round_`, where stored (the base model always is)."""
    trial = session.trial
    folder = session.job.store.checkpoint(trial.id, round_, session.branch)
    if round_ == 0:
        folder = model_folder(trial.start)
    elif trial.trainer == "external" and round_ == trial.rounds:
        folder = model_folder(trial.model)
    return folder if (folder / "config.json").is_file() else None


def _measure_external(session: Session) -> None:
    """Evaluate the base model and the checkpoint that was trained from it elsewhere."""
    for round_ in (0, session.trial.rounds):
        with _engine(session, _weights(session, round_)) as sampler:
            session.log_round(round_, {})
            session.evaluate(round_, sampler)


def _engine(session: Session, folder: Path | None) -> AbstractContextManager[Callable[[], Sampler]]:
    """A new engine over stored weights."""
    trial, job = session.trial, session.job
    return lazy_engine(
        lambda: stored_sampler(trial, job.profile, folder, session.folder, job.longest_prompt)
    )


@contextmanager
def lazy_engine(start: Callable[[], Any]) -> Iterator[Callable[[], Sampler]]:
    """An engine that is started when the first sample is needed, and ended with its memory
    released. `start` builds its sampler, which has an `end`."""
    started: list[Any] = []

    def sampler() -> Sampler:
        if not started:
            started.append(start())
        return started[0]

    try:
        yield sampler
    finally:
        if started:
            started.pop().end()


def stored_sampler(
    trial: Trial,
    profile: ComputeProfile,
    folder: Path | None,
    output: Path,
    longest_prompt: int | None,
) -> Any:
    """A sampler with a new engine over the weights in `folder`, sized like the live one of the
    trial (`zoo.resources.given`); its `end` releases the memory. Nothing is written to `output`."""
    if profile.engine == "transformers":
        from zoo.train.assembly import generator_of
        from zoo.trainer.policy import load_policy
        from zoo.trainer.transformers_engine import TransformersSampler

        model, tokenizer = load_policy(folder or Path(), trial.model.stop_ids)
        on = model.to(profile.device)
        return TransformersSampler(generator_of(trial, profile, longest_prompt, on, tokenizer))
    from transformers import AutoConfig, AutoTokenizer

    from zoo.trainer.engine import EngineSampler, keep_plain_weights_on_cpu, start_engine

    if profile.device == "cpu":
        keep_plain_weights_on_cpu()
    context = AutoConfig.from_pretrained(folder).max_position_embeddings
    sized = engine_trial(trial, profile, longest_prompt)
    live = grpo_arguments(sized, profile, output, context, longest_prompt)
    arguments = engine_arguments(live, profile.engine_dtype)
    llm, tokenizer = start_engine(str(folder), arguments), AutoTokenizer.from_pretrained(folder)
    workers = arguments["tensor_parallel_size"] > 1
    return EngineSampler(llm, tokenizer, trial.model.stop_ids, workers=workers)
