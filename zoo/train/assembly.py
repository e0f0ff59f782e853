"""Trainer, engine and rewards of one process of a trial, put together. The trial's leader drives
them by its session; what needs all processes is a command of the team.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.catalog import ComputeProfile
from zoo.data import load, model_folder, render
from zoo.errors import FailureClass, TrialError
from zoo.evals.stages import Generation, Graders, Sampler
from zoo.manifest.schema import Decoding
from zoo.resources import longest_sequence, place
from zoo.rewards.guard import Guard
from zoo.store.run_store import Store
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.trainer.grpo_config import grpo_arguments
from zoo.trainer.team import Team, place_in_team
from zoo.trainer.team_sampler import PromptShare, TeamSampler, awake
from zoo.trials.trial import Trial

if TYPE_CHECKING:
    from transformers import TrainerCallback

KEEP, SAVE, LOGPS, ALIVE = "keep", "save", "logps", "alive"


@dataclass(frozen=True)
class Assembly:
    """What one process trains with."""

    trial: Trial
    profile: ComputeProfile
    trainer: Any
    team: Team
    engines: TeamSampler
    updates: int
    """Of the optimiser, a round."""

    def sampler(self) -> Sampler:
        """Samples through all engines, with the weights as they are now."""
        return self.engines.with_weights()

    def keep(self, folder: Path) -> None:
        """Save the policy's weights and tokenizer."""
        self.team.lead(KEEP, folder)

    def save(self, folder: Path) -> None:
        """Save all that training continues from."""
        self.team.lead(SAVE, folder)

    def logps(self, prompt_ids: list[list[int]], token_ids: list[list[int]]) -> list[list[float]]:
        """The policy's log-probabilities of responses, in nats."""
        return self.team.lead(LOGPS, prompt_ids, token_ids)

    def train(
        self, checkpoint: str | None, rounds: TrainerCallback, begin: Callable[[], Any]
    ) -> None:
        """Train, from `checkpoint` on where there is one. `begin` works with the model that
        training starts from: before the trainer loads a checkpoint into it, but where weights are
        sharded, as they can be read only once they are."""
        if self.sharded:
            from zoo.train.callbacks import Begin

            self.trainer.add_callback(Begin(begin))
        else:
            begin()
        self.trainer.add_callback(rounds)
        self.trainer.train(resume_from_checkpoint=checkpoint)

    def is_alive(self) -> bool:
        """Whether the policy computes finite numbers."""
        return self.team.lead(ALIVE)

    @property
    def sharded(self) -> bool:
        """Whether the weights are sharded, so that no process has the full model."""
        return self.trainer.is_fsdp_enabled


def assemble(
    job: Job, folder: Path, guarded: Guard, graders: Graders, session: Session | None
) -> Assembly:
    """Build the trainer of this process. `folder`: the trial's. `session`: of the leader."""
    trial, profile = job.trial, job.profile
    make = _trainer_class(profile)  # before anything else of TRL is imported
    from trl import GRPOConfig

    from zoo.train.base_divergence import log_probabilities
    from zoo.train.callbacks import Reseed, is_alive
    from zoo.train.reward_bridge import RewardBridge
    from zoo.trainer.policy import completion_text, load_policy

    model, tokenizer = load_policy(model_folder(trial.model), trial.model.stop_ids)
    context = model.config.max_position_embeddings
    arguments = grpo_arguments(trial, profile, folder / "checkpoints", context, job.longest_prompt)
    config = GRPOConfig(**arguments)  # the processes of a trial meet here
    adapters = _adapters(trial, model)
    width = place(trial, profile, prompt=job.longest_prompt).tensor_parallel
    team = Team(*place_in_team(), width)
    trainer: Any = make(
        model=model,
        reward_funcs=[
            RewardBridge(
                trial,
                team,
                guarded,
                lambda items: graders(trial.reward.extract).grade(items).results,
                lambda: trainer.eos_token_ids,
                partial(completion_text, tokenizer),
                tokenizer.eos_token_id,
                session,
            )
        ],
        args=config,
        train_dataset=_dataset(trial, job.store),
        processing_class=tokenizer,
        callbacks=[Reseed()],
        **adapters,
    )
    trainer.team, trainer.phases = team, session.phases if session else None
    trainer.trim_padding = profile.trim_padding
    trainer.entropy_over_update = trial.entropy_mean == "update"
    engines = _engines(job, trainer, tokenizer, team)
    team.handlers |= {
        KEEP: partial(_keep, trainer, tokenizer, trial, profile.engine_dtype),
        SAVE: trainer.save_state,
        LOGPS: partial(log_probabilities, trainer),
        ALIVE: lambda: is_alive(trainer.model),
    }
    updates = trial.batch.updates * int(trial.grpo.get("num_iterations", 1))
    return Assembly(trial, profile, trainer, team, engines, updates)


def _adapters(trial: Trial, model: Any) -> dict[str, Any]:
    """What makes a trainer train adapters, whose first values follow from the trial's seed alone;
    nothing where all weights are trained."""
    if trial.peft is None:
        return {}
    from transformers import set_seed

    from zoo.trainer.adapter import lora_config

    set_seed(trial.seed)
    return {"peft_config": lora_config(trial.peft, model)}


def _keep(trainer: Any, tokenizer: Any, trial: Trial, dtype: str, folder: Path) -> None:
    from zoo.trainer.policy import save_weights

    if trial.peft is not None:
        from zoo.trainer.adapter import keep

        if trainer.team.leads:
            model = trainer.accelerator.unwrap_model(trainer.model)
            keep(model, tokenizer, dtype, folder, trial.model.repo or trial.model.name)
        return
    state = trainer.whole_state()
    if trainer.team.leads:
        save_weights(trainer.model, dtype, folder, state)
        tokenizer.save_pretrained(folder)


def _trainer_class(profile: ComputeProfile) -> Any:
    """The trainer of a profile's engine, prepared for use."""
    if profile.engine == "transformers":
        from zoo.trainer.transformers_engine import hide_vllm

        hide_vllm()
        from zoo.trainer.transformers_trainer import TransformersTrainer

        return TransformersTrainer
    from zoo.trainer.engine import fix_engine_dtype, keep_plain_weights_on_cpu

    if profile.device == "cpu":
        keep_plain_weights_on_cpu()
    fix_engine_dtype(profile.engine_dtype)
    from zoo.trainer.team_trainer import TeamTrainer

    return TeamTrainer


def _engines(job: Job, trainer: Any, tokenizer: Any, team: Team) -> TeamSampler:
    """Samples for evaluation with the weights that are being trained."""
    if job.profile.engine == "transformers":
        from zoo.trainer.transformers_engine import TransformersSampler

        model = trainer.accelerator.unwrap_model(trainer.model)
        base = model if job.trial.peft is None else model.get_base_model()
        trainer.generator = generator_of(
            job.trial, job.profile, job.longest_prompt, base, tokenizer
        )
        if job.trial.peft is not None:
            from zoo.trainer.adapter import merged

            trainer.generator.around = partial(merged, model)
        own = TransformersSampler(trainer.generator)
        return TeamSampler(team, partial(_by_place, own), lambda: None)
    from zoo.trainer.engine import EngineSampler

    generation = trainer.vllm_generation
    if job.trial.peft is not None:
        from zoo.trainer.adapter import merged_weights

        model = trainer.accelerator.unwrap_model(trainer.model)
        generation._iter_named_params = partial(merged_weights, model)
    sampler = EngineSampler(generation.llm, tokenizer, job.trial.model.stop_ids)
    sync = (lambda: None) if generation.enable_sleep_mode else generation.sync_weights
    return TeamSampler(team, partial(_by_engine, sampler, generation), sync)


def _by_place(
    own: Any, prompts: list[str], decoding: Decoding, max_tokens: int, seed: int, part: PromptShare
) -> list[Generation]:
    """Responses that depend only on seed and position, not on the process."""
    return own(prompts, [], decoding, max_tokens, seed, part.first)


def _by_engine(
    own: Any,
    generation: Any,
    prompts: list[str],
    decoding: Decoding,
    max_tokens: int,
    seed: int,
    part: PromptShare,
) -> list[Generation]:
    """Responses of one engine among several. Each has its own seed, so sampled responses depend on
    the number of engines; greedy ones do not."""
    with awake(generation):
        return own(prompts, [], decoding, max_tokens, part.seed(seed)) if prompts else []


def generator_of(
    trial: Trial, profile: ComputeProfile, longest_prompt: int | None, model: Any, tokenizer: Any
) -> Any:
    """Generates with a model of `load_policy` under the trial's profile."""
    from zoo.trainer.policy import end_ids
    from zoo.trainer.transformers_engine import Generator, mixed_precision

    placed = place(trial, profile, prompt=longest_prompt)
    context = longest_sequence(trial, model.config.max_position_embeddings, longest_prompt)
    return Generator(
        model,
        tokenizer,
        end_ids(model),
        context=context,
        batch=placed.generation_batch,
        dtype=mixed_precision(trial.grpo),
    )


def _dataset(trial: Trial, store: Store) -> Any:
    from datasets import Dataset

    problems = load(trial.data, store.cache)
    prompt = trial.prompt
    wanted = trial.batch.prompts
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
