"""What TRL does not log of a round: the time of generation, and the shares of importance-sampling
weights that it clipped or masked."""

from __future__ import annotations

from typing import Any

import torch

from zoo.trainer.phases import Phases
from zoo.trainer.sampling_correction import correction_shares
from zoo.trainer.scored_only import ScoredOnlyTrainer


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
        """Of the tokens of this process; their mean over all processes."""
        own = correction_shares(
            batch,
            self.vllm_importance_sampling_mode,
            self.vllm_importance_sampling_clip_min,
            self.vllm_importance_sampling_clip_max,
        )
        if self.accelerator.num_processes == 1:
            return own
        values = torch.tensor(list(own.values()), device=self.accelerator.device)
        every: Any = self.accelerator.gather(values)
        means = every.view(-1, len(own)).mean(dim=0).tolist()
        return dict(zip(own, means, strict=True))
