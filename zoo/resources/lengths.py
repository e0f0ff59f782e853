"""How many tokens a response is expected to have, by round: a straight line from the base model's
mean length to what makes the card's average over a training run of the study's length.

Length drives cost as much as size does: the study's 24B run took twice the GPUs of its 32B run
because its responses grew to 6,000 tokens (I#69).
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo.catalog import ModelCard, RewardCard
from zoo.trials.trial import Trial

STUDY_ROUNDS = 100  # rounds over which a card's `trained` length is an average
UNKNOWN = (500.0, 900.0)  # base, trained, where a card states none; the study's middle
OF_CAP = 0.6  # ... and at most this share of the cap (the pocket models: 37 of 64 tokens, measured)
# A reward that costs a response without a box lengthens responses: Llama-3.1-8B went from 2,000
# tokens to the cap under the study's penalty and Qwen2.5-7B did not move (arXiv:2503.18892 section
# 3.1, figure 6). A prior of ours, between the two.
BOX_FACTOR = 1.25


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean response tokens: of the base model, averaged over a run of the study's length, and the
    max response length."""

    base: float
    trained: float
    cap: int

    def at(self, round_: int, cap: int | None = None) -> float:
        """Mean tokens after `round_` rounds; constant beyond the study's length. `cap` is another
        max response length (an evaluation's)."""
        grown = 2 * (self.trained - self.base) * min(round_, STUDY_ROUNDS) / STUDY_ROUNDS
        return min(max(self.base + grown, 1.0), float(cap or self.cap))

    def mean(self, rounds: int) -> float:
        """Mean tokens over the training rounds 1 to `rounds`."""
        rising = min(rounds, STUDY_ROUNDS)
        top = self.at(rising)
        return (rising * (self.at(0) + top) / 2 + (rounds - rising) * top) / rounds


def expected(trial: Trial) -> Lengths:
    """Expected response length of a trial: the card's, longer or shorter by bucket and reward."""
    base, trained = _stated(trial.model, trial.cap)
    factor = trial.data.length_factor
    return Lengths(base * factor, trained * factor * reward_factor(trial.reward), trial.cap)


def untrained(trial: Trial) -> float:
    """Mean tokens of the model at round 0, whatever it is going to be trained on."""
    return _stated(trial.start, trial.cap)[0]


def reward_factor(reward: RewardCard) -> float:
    """How much a reward lengthens responses: a prior for those that need a box, else 1."""
    return BOX_FACTOR if reward.needs_box else 1.0


def _stated(model: ModelCard, cap: int) -> tuple[float, float]:
    """Base and trained length of a card, or the assumed ones."""
    if model.response is not None:
        return model.response.base, model.response.trained
    base, trained = (min(length, OF_CAP * cap) for length in UNKNOWN)
    return base, trained
