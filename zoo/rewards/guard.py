"""A reward that fails: attributed to its group, counted, and past a stated share the end of the
run. Never silently zero.
"""

from __future__ import annotations

import copy
import logging
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

from zoo.errors import FailureClass, TrialError
from zoo.grading import Verdict
from zoo.rewards.base import Completion, Reward, Values, checked, unscored_as_none

_log = logging.getLogger("zoo")
_KEPT_ERRORS = 20
MIN_SAMPLES = 256
"""How many samples are seen before the share of faults is judged."""


class Guard:
    """Calls a reward and counts its failures. Every call gets its own lists and parameters,
    so that a call cannot modify those of another; what it prints goes to standard error.

    Args:
        name: the reward's name, for messages.
        reward: the function.
        params: its parameters.
        max_fault_share: the share of samples whose reward may fail.
        min_samples: number of samples before the share is checked.
    """

    def __init__(
        self,
        name: str,
        reward: Reward,
        params: Mapping[str, Any],
        max_fault_share: float = 0.01,
        min_samples: int = MIN_SAMPLES,
    ) -> None:
        self.name, self.reward, self.params = name, reward, params
        self.max_fault_share, self.min_samples = max_fault_share, min_samples
        self.samples = self.faults = 0
        self.errors: list[str] = []
        self._cause: BaseException | None = None

    def __call__(
        self,
        verdicts: Sequence[Verdict],
        completions: Sequence[Completion],
        seed: int,
        group: str = "",
    ) -> Values:
        """The rewards of one group, or None for each of its samples where the reward fails."""
        self.samples += len(verdicts)
        try:
            with redirect_stdout(sys.stderr):
                params = copy.deepcopy(self.params)
                values = self.reward(list(verdicts), list(completions), params, seed)
            return unscored_as_none(verdicts, checked(values, len(verdicts)))
        except (Exception, SystemExit) as error:  # a user's code: any error is a fault of the group
            self._count(group, len(verdicts), error)
            return [None] * len(verdicts)

    def check(self) -> None:
        """End the trial where the reward fails too often. Called once a round, after the round's
        completions are stored: they show where the reward failed.

        Raises:
            TrialError: of class `reward`, where more than `max_fault_share` of at least
                `min_samples` samples failed.
        """
        if self.samples >= self.min_samples and self.fault_share > self.max_fault_share:
            raise TrialError(
                FailureClass.REWARD,
                f"reward '{self.name}' failed on {self.faults} of {self.samples} samples, over "
                f"{self.max_fault_share:.1%}; first: {self.errors[0]}",
            ) from self._cause

    def state(self) -> dict[str, Any]:
        """Its failure counts, as JSON, for a checkpoint."""
        return {"samples": self.samples, "faults": self.faults, "errors": list(self.errors)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue an account that `state` gave."""
        self.samples, self.faults = state["samples"], state["faults"]
        self.errors = list(state["errors"])

    @property
    def fault_share(self) -> float:
        """Samples that the function could not score, of all."""
        return self.faults / self.samples if self.samples else 0.0

    def _count(self, group: str, size: int, error: BaseException) -> None:
        self.faults += size
        message = f"group {group or '?'}: {type(error).__name__}: {error}"
        if len(self.errors) < _KEPT_ERRORS:
            self.errors.append(message)
            _log.warning("reward '%s' failed on %d samples, %s", self.name, size, message)
        self._cause = self._cause or error
