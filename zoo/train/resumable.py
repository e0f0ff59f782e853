"""What the Trainer's own checkpoints lack: the order of the data over several epochs, and a
reference model that training moves.

A checkpoint's files are those of transformers and TRL (`_save_checkpoint`): weights, optimiser,
schedule, generators, position. They are right at the end of a round only; a save inside a round
would make completions again on the same prompts and shift every later one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from zoo.train.measured import MeasuredTrainer

REFERENCE = "reference"
"""Folder of the reference model's weights, where training moves it (`sync_ref_model`)."""


class ResumableTrainer(MeasuredTrainer):
    """A trainer that continues from a checkpoint as if it had never stopped."""

    _sampler: Any = None

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        self._sampler = super()._get_train_sampler(dataset)
        return self._sampler

    def _init_training_state(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        """Draw the orders of the epochs that are over: TRL's sampler (1.16, trainer/utils.py:925)
        has a generator of its own that is seeded once and saved nowhere, so that a later epoch
        would get the first one's order."""
        epochs, steps = super()._init_training_state(*args, **kwargs)
        sampler = self._sampler
        if sampler is not None and sampler.shuffle:
            for _ in range(epochs):
                torch.randperm(sampler.num_samples, generator=sampler.generator)
        return epochs, steps

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        folder = Path(resume_from_checkpoint) / REFERENCE
        if model is None and folder.is_dir():
            reference: Any = self.ref_model
            loaded = type(reference).from_pretrained(folder, dtype=reference.dtype)
            reference.load_state_dict(loaded.state_dict())

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """No page for the hub: checkpoints stay here."""

    def save_state(self, folder: Path) -> None:
        """Write all that training continues from into a folder. Right at the end of a round."""
        output, self.args.output_dir = self.args.output_dir, str(folder)
        try:
            self._save_checkpoint(self.model, None)
        finally:
            self.args.output_dir = output
        made = folder / f"checkpoint-{self.state.global_step}"
        for path in made.iterdir():
            path.rename(folder / path.name)
        made.rmdir()
        reference: Any = self.ref_model
        if reference is not None and getattr(self.args, "sync_ref_model", False):
            self.accelerator.unwrap_model(reference).save_pretrained(folder / REFERENCE)
