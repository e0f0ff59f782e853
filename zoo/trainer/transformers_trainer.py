"""The trainer that generates with transformers.

TRL without vLLM generates all completions of a round at once, however many, and draws them from
torch's global generator, so that the way they are split would change them. Here they come from
`Generator`, as those of evaluations do.
"""

from __future__ import annotations

from typing import Any

from zoo.trainer.team_trainer import TeamTrainer
from zoo.trainer.transformers_engine import Generator, Sampling


class TransformersTrainer(TeamTrainer):
    """A trainer that generates with its own model. `generator` is set before training."""

    generator: Generator

    def _generate_single_turn(
        self,
        prompt_ids: list[list[int]],
        images: Any,
        multimodal_fields: Any,
        num_generations: int,
        has_tool_images: bool = False,
    ) -> tuple[list[list[int]], None]:
        """Completions by row; no log-probabilities, which TRL requests only from vLLM."""
        sampling = Sampling(
            self.temperature,
            self.top_p,
            self.top_k or 0,
            self.min_p or 0.0,
            self.repetition_penalty,
        )
        key = (self.args.seed, self.state.global_step)
        first = self.accelerator.process_index * len(prompt_ids)
        found = self.generator(prompt_ids, sampling, self.max_completion_length, key, first)
        return found, None
