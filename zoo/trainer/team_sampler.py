"""Sampling through the engines of all processes of a trial, each its part of the prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from zoo.data import Problem
from zoo.evals.stages import Generation
from zoo.manifest.schema import Decoding
from zoo.trainer.team import Team, even_parts, spread_seed

SYNC, SAMPLE = "sync", "sample"


@dataclass(frozen=True, slots=True)
class PromptShare:
    """Which part of the prompts one engine answers."""

    first: int
    """Index of its first prompt among all."""
    engine: int

    def seed(self, seed: int) -> int:
        """For an engine that draws its responses one after the other from one generator."""
        return spread_seed(seed, self.engine) if self.engine else seed


PartSampler = Callable[[list[str], Decoding, int, int, PromptShare], list[Generation]]
"""Prompts, decoding, most tokens, seed and part -> responses."""


class TeamSampler:
    """The sampler of a trial's leader; the other processes' engines answer to commands."""

    def __init__(self, team: Team, own: PartSampler, sync: Callable[[], None]) -> None:
        """`own` samples through the engine of this process; `sync` brings the trainer's weights
        into it."""
        self.team, self.own = team, own
        team.handlers |= {SYNC: sync, SAMPLE: self._sample}

    def with_weights(self) -> TeamSampler:
        """Bring the trainer's weights into all engines."""
        self.team.lead(SYNC)
        return self

    def __call__(
        self,
        prompts: list[str],
        problems: list[Problem],
        decoding: Decoding,
        max_tokens: int,
        seed: int,
    ) -> list[Generation]:
        """Implements `zoo.evals.stages.Sampler`."""
        return self.team.lead(SAMPLE, prompts, decoding, max_tokens, seed)

    def _sample(
        self, prompts: list[str], decoding: Decoding, max_tokens: int, seed: int
    ) -> list[Generation]:
        team = self.team
        part = even_parts(len(prompts), team.engines)[team.engine]
        mine = prompts[part.start : part.stop]
        made = self.own(mine, decoding, max_tokens, seed, PromptShare(part.start, team.engine))
        first = team.rank % team.engine_width == 0  # one answer from each engine
        return [one for each in team.gather(made if first else []) for one in each]


@contextmanager
def awake(generation: Any) -> Iterator[None]:
    """An engine with the trainer's weights and room for its cache, also where it sleeps between
    rounds: sleep of level 2 has discarded both (vllm_generation.py:generate, TRL 1.16)."""
    if not generation.enable_sleep_mode:
        yield
        return
    generation.sync_weights()
    generation.llm.wake_up(tags=["kv_cache"])
    try:
        yield
    finally:
        generation.llm.sleep(level=2)
        generation._llm_weights_sleeping = True
