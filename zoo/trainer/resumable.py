"""State that the Trainer's checkpoints lack: the order of the data over several epochs, and a
reference model that training updates.

A checkpoint's files are those of transformers and TRL (`_save_checkpoint`): weights, optimiser,
schedule, generators, position. State that they pickle is written as safetensors and JSON here
(`zoo.trainer.plain_state`). They are valid only at the end of a round; a save inside a round would
generate completions for the same prompts again and shift every later one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from zoo.trainer import plain_state
from zoo.trainer.measured import MeasuredTrainer

REFERENCE = "reference"
"""Folder of the reference model's weights, where training moves it (`sync_ref_model`)."""


class ResumableTrainer(MeasuredTrainer):
    """A trainer that continues from a checkpoint as if it had never stopped."""

    _sampler: Any = None

    def _get_train_sampler(self, dataset: Any = None) -> Any:
        self._sampler = super()._get_train_sampler(dataset)
        return self._sampler

    def _init_training_state(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        """Draw the orders of the finished epochs: TRL's sampler (1.16, trainer/utils.py:925) has
        its own generator, which is seeded once and not saved, so that a later epoch would get the
        first one's order."""
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

    def _optimizer_state(self) -> dict[str, Any]:
        optimizer: Any = self.optimizer
        return optimizer.state_dict()

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        optimizer: Any = self.optimizer
        optimizer.load_state_dict(state)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        schedule: Any = self.lr_scheduler
        scaler = getattr(self.accelerator, "scaler", None)
        state: dict[str, Any] = {
            "optimizer": self._optimizer_state(),
            "scheduler": schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else None,
            "generators": plain_state.generators(),
        }
        plain_state.write(Path(output_dir), state)

    def _save_scaler(self, output_dir: str) -> None:
        """It is with the optimiser."""

    def _save_rng_state(self, output_dir: str) -> None:
        """They are with the optimiser; nothing between draws from them."""

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)  # TRL's control of the entropy
        if checkpoint is not None:
            schedule: Any = self.lr_scheduler
            scaler = getattr(self.accelerator, "scaler", None)
            state = plain_state.read(Path(checkpoint))
            self._restore_optimizer(state["optimizer"])
            schedule.load_state_dict(state["scheduler"])
            if state["scaler"] is not None and scaler is not None:
                scaler.load_state_dict(state["scaler"])

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            plain_state.restore_generators(plain_state.read(Path(checkpoint))["generators"])

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
        (made / "training_args.bin").unlink(missing_ok=True)  # a pickle that nothing reads
        for path in made.iterdir():
            path.rename(folder / path.name)
        made.rmdir()
        reference: Any = self.ref_model
        if reference is not None and getattr(self.args, "sync_ref_model", False):
            self.accelerator.unwrap_model(reference).save_pretrained(folder / REFERENCE)
