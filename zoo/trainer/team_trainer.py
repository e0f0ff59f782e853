"""Extensions of the trainer for several processes: the same updates as a single process from the
same completions.

- TRL shuffles the completions of a round before it splits them into updates, each process its own
  rows, so that the completions of an update depend on the number of processes
  (grpo_trainer.py:_prepare_inputs, 1.16). Here the order is drawn once, over all rows, and every
  process gets its part of each update.
- Engines draw their samples from torch's generator, and every process starts with the same seed.
  Here each engine gets its own seed at the beginning of each round, from the trial's seed, the
  update and the engine's index, so that checkpoints need no engine state. The first process, if it
  has its own engine, continues as it would alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import set_seed

from zoo.trainer.resumable import ResumableTrainer
from zoo.trainer.sharded_state import (
    load_whole_optimizer,
    load_whole_weights,
    whole_optimizer,
    whole_weights,
)
from zoo.trainer.team import Team, spread_seed


class TeamTrainer(ResumableTrainer):
    """A trainer whose updates do not depend on how many processes compute them."""

    team: Team = Team()
    _whole: tuple[dict[str, Any], dict[str, Any]] | None = None
    """Weights and optimiser of a save that is under way, where they are sharded."""

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        model: Any = self.model
        if self.team.size == 1 or not model.training:
            return super()._prepare_inputs(generation_batch)
        begins = self._step % (self.args.steps_per_generation * self.num_iterations) == 0
        own = self.team.rank > 0 or self.team.engine_width > 1
        if own and (begins or self._buffered_inputs is None):
            set_seed(spread_seed(self.args.seed, self.state.global_step, self.team.engine))
        with self._shuffle_over_all():
            return super()._prepare_inputs(generation_batch)

    @contextmanager
    def _shuffle_over_all(self) -> Iterator[None]:
        from trl.trainer import grpo_trainer

        own: Any = grpo_trainer.shuffle_sequence_dict
        grpo_trainer.shuffle_sequence_dict = self._shuffled
        try:
            yield
        finally:
            grpo_trainer.shuffle_sequence_dict = own

    def _shuffled(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The rows (B of N) of one process of the round, in an order drawn over all N."""
        micro = self.args.per_device_train_batch_size
        count = self.accelerator.num_processes * len(batch["prompt_ids"])
        order: torch.Tensor = self.team.share(torch.randperm(count) if self.team.leads else None)
        mine = rows_of(order, self.team.rank, self.team.size, micro)
        return {name: self._redistributed(name, value, mine) for name, value in batch.items()}

    def _redistributed(self, name: str, value: Any, mine: torch.Tensor) -> Any:
        """Rows `mine` (B,) of one tensor gathered from all processes; one tensor at a time, as all
        rows of a round are large. Prompts are padded on the left, all else on the right."""
        if value is None or value.ndim == 0:
            return value
        tokenizer: Any = self.processing_class
        pad = tokenizer.pad_token_id if name.endswith("_ids") else 0
        if value.ndim > 1:
            value = self.accelerator.pad_across_processes(
                value, dim=1, pad_index=pad, pad_first=name.startswith("prompt")
            )
        every: Any = self.accelerator.gather(value)
        return every[mine.to(every.device)]

    # -- state ------------------------------------------------------------------------------------

    def whole_state(self) -> dict[str, Any]:
        """All weights. If sharded: in the first process only, and a collective that all must
        call."""
        model: Any = self.model
        return whole_weights(model) if self.is_fsdp_enabled else model.state_dict()

    def save_state(self, folder: Path) -> None:
        """Write the full training state into a folder, by the first process. All processes gather
        sharded state."""
        self._whole = (
            (self.whole_state(), self._optimizer_state()) if self.is_fsdp_enabled else None
        )
        if self.team.leads:
            super().save_state(folder)
        self._whole = None

    def store_flos(self) -> None:
        """Count operations, which takes all processes in a save that is the first one's."""
        if self.team.size == 1:
            super().store_flos()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """The weights of a checkpoint."""
        if self._whole is None:
            super().save_model(output_dir, _internal_call)
        else:
            self._save(output_dir, state_dict=self._whole[0])

    def _optimizer_state(self) -> dict[str, Any]:
        if self._whole is not None:
            return self._whole[1]
        if self.is_fsdp_enabled:
            model: Any = self.model
            optimizer: Any = self.optimizer
            return whole_optimizer(model, optimizer.optimizer)
        return super()._optimizer_state()

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        if not self.is_fsdp_enabled:
            super()._restore_optimizer(state)
            return
        model: Any = self.model
        optimizer: Any = self.optimizer
        load_whole_optimizer(model, optimizer.optimizer, state)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled:
            whole: Any = self.model
            load_whole_weights(whole, weights_in(Path(resume_from_checkpoint)))
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)


def weights_in(folder: Path) -> dict[str, torch.Tensor]:
    """All weights of a folder, of one file or of several."""
    found: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        found |= load_file(path)
    return found


def rows_of(order: torch.Tensor, rank: int, size: int, micro: int) -> torch.Tensor:
    """Which rows of a round (N,) one process computes, in the order of its forward passes: each
    pass of all processes is the next `size * micro` rows of `order`, and a process has `micro` of
    them."""
    return order.view(-1, size, micro)[:, rank].reshape(-1)
