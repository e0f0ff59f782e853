"""What TRL does not log of a round: the time of generation, and the shares of importance-sampling
weights that it clipped or masked."""

from __future__ import annotations

from typing import Any

import torch

from zoo.train.phases import Phases
from zoo.train.sampling_correction import correction_shares
from zoo.train.scored_only import ScoredOnlyTrainer


class MeasuredTrainer(ScoredOnlyTrainer):
    """A trainer that measures its rounds and trains as without."""

    phases: Phases | None = None
    """Clocks that the time of generation is added to."""

    def _generate(self, prompts: list[Any]) -> Any:
        if self.phases is None:
            return super()._generate(prompts)
        with self.phases.timed("generation"):
            return super()._generate(prompts)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super()._generate_and_score_completions(inputs)
        if "importance_sampling_ratio" in batch:
            for name, share in self._correction_shares(batch).items():
                self._metrics["train"][name].append(share)
        return batch

    def _correction_shares(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        return correction_shares(
            batch,
            self.vllm_importance_sampling_mode,
            self.vllm_importance_sampling_clip_min,
            self.vllm_importance_sampling_clip_max,
        )
