"""What trials share that lie on a profile in the same way."""

from __future__ import annotations

from collections.abc import Hashable

from zoo.trials.trial import Trial


def shape(trial: Trial) -> tuple[Hashable, ...]:
    """What decides how a trial lies on a profile, beside the lengths of its prompts: trials of one
    shape are placed alike, and fail alike for want of memory."""
    grpo, peft = trial.grpo, trial.peft
    memory = (str(grpo.get("optim")), bool(grpo.get("bf16") or grpo.get("fp16")), trial.cap)
    return (
        trial.model.name,
        trial.recipe,
        trial.trainer,
        tuple(trial.batch.model_dump().values()),
        None if peft is None else (peft.r, peft.modules),
        float(grpo.get("beta", 0.0)) > 0,
        *memory,
    )
