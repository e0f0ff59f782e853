"""Sampling through the engines of all processes of a trial, each its part of the prompts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zoo.data import Problem
from zoo.evals.stages import Generation, Sampler
from zoo.manifest.schema import Decoding
from zoo.train.team import Team, even_parts, spread_seed

SYNC, SAMPLE = "sync", "sample"


class TeamSampler:
    """The sampler of a trial's leader; the followers' engines answer to commands.

    With one engine, responses are those of that engine alone. With several, each draws from a seed
    of its own: sampled responses then depend on how many engines there are, greedy ones do not.
    """

    def __init__(self, team: Team, generation: Any, own: Sampler) -> None:
        """`generation`: TRL's, of this process. `own` samples through its engine."""
        self.team, self.generation, self.own = team, generation, own
        team.handlers |= {SYNC: self._sync, SAMPLE: self._sample}

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
        return self.team.lead(SAMPLE, prompts, problems, decoding, max_tokens, seed)

    def _sync(self) -> None:
        if not self.generation.enable_sleep_mode:  # else each sampling does, in `awake`
            self.generation.sync_weights()

    def _sample(
        self,
        prompts: list[str],
        problems: list[Problem],
        decoding: Decoding,
        max_tokens: int,
        seed: int,
    ) -> list[Generation]:
        team = self.team
        part = even_parts(range(len(prompts)), team.engines)[team.engine]
        mine = [prompts[i] for i in part], [problems[i] for i in part]
        seed = spread_seed(seed, team.engine) if team.engine else seed
        with awake(self.generation):
            made = self.own(*mine, decoding, max_tokens, seed) if part else []
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
