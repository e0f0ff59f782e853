"""The cost of one trial: hours of training, evaluation and start, and bytes on disk.

Hours are GPU-hours, or hours of one process where the profile has no GPU. Training counts response
tokens (rounds x completions x expected length); evaluation only samples and has its own rate; the
base model's own evaluations (round 0) are shared by every trial that starts from it, so they are
reported separately.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.catalog import ComputeProfile, ModelCard
from zoo.resources import memory as parts
from zoo.resources.lengths import Lengths, expected, untrained
from zoo.resources.placement import Placement, place
from zoo.resources.rates import (
    GUESSED_SPREAD,
    NODES_SPREAD,
    SPREAD,
    Hours,
    Rate,
    exchange_s,
    planned_rate,
    sampling_rate,
    token_s,
    total,
    training_share,
)
from zoo.resources.save_plan import STATE_BYTES, WEIGHT_BYTES, SavePlan, saves
from zoo.trials.trial import Evaluation, Trial

START_H = (1 / 60, 2.5 / 60, 5 / 60)  # cold start on GPUs: weights, compilation, CUDA graphs
CPU_START_H = (15 / 3600, 20 / 3600, 30 / 3600)  # imports, engine of a pocket model (measured)
UNKNOWN_PROBLEMS = 500  # of a benchmark that states no number
UNKNOWN_PARAMETERS = 1e9  # of a model that states neither size nor geometry

# One token of a kept response, before compression: 4 of its id, the rest text. A trial of 819,200
# responses keeps 4 GB at 800 tokens and 30 GB at 6,000.
TOKEN_BYTES = 6.1
SCORE_BYTES = 64  # a graded row: id, verdict, prediction
ADAPTER_SHARE = 0.02  # of the parameters are LoRA's, where the geometry is not stated
CHECKPOINT_BYTES = 4  # a parameter: the final weights in float32


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes that a finished trial leaves, before compression."""

    checkpoint: float = 0.0
    """Weights: the last ones and those that the profile keeps."""
    rollouts: float = 0.0
    samples: float = 0.0
    scores: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.checkpoint + self.rollouts + self.samples + self.scores


@dataclass(frozen=True, slots=True)
class TrialCost:
    """The cost of one trial on one profile. `base` and `base_disk` are the base model's
    evaluations, counted for the first trial that needs them."""

    placement: Placement
    train: Hours
    evaluation: Hours
    start: Hours
    base: Hours
    disk: Disk
    base_disk: Disk
    saves: SavePlan
    """Checkpoints that it continues from."""

    @property
    def gpus(self) -> int:
        """GPUs that the trial holds; 0 on a CPU."""
        return self.placement.gpus

    @property
    def hours(self) -> Hours:
        """Training, evaluation and start together, without `base`."""
        return total([(self.train, 1), (self.evaluation, 1), (self.start, 1)])

    @property
    def loss(self) -> Hours:
        """The most that it loses by dying: the rounds since its last checkpoint, and the start."""
        at_stake = self.saves.at_stake
        return total([(self.train, at_stake), (self.evaluation, at_stake), (self.start, 1)])

    @property
    def wall_hours(self) -> float:
        """From start to end, without `base`."""
        return self.hours.mid / max(1, self.gpus)


def trial_cost(
    trial: Trial,
    profile: ComputeProfile,
    rates: Mapping[str, Rate] | None = None,
    gpus: int | None = None,
    prompt: int | None = None,
) -> TrialCost:
    """Cost of one trial on a profile; a simulated one costs nothing worth a figure, and what was
    trained elsewhere is only evaluated.

    Args:
        rates: model card -> rate measured on this hardware; tables answer for the rest.
        gpus: just so many a trial; None = the smallest number on which it fits.
        prompt: tokens of its longest prompt; None = not measured.
    """
    placement = place(trial, profile, gpus, prompt=prompt)
    if trial.simulated:
        return TrialCost(placement, Hours(), Hours(), Hours(), Hours(), Disk(), Disk(), SavePlan())
    rate = (rates or {}).get(trial.model.name)
    speeds = _Speeds.of(trial, profile, placement, rate)
    lengths, trains = expected(trial), trial.trainer == "trl"
    trained = trial.rounds * trial.batch.completions * lengths.mean(trial.rounds) * trains
    tokens, rows = _sampled(trial, lengths)
    base_tokens, base_rows = _base_sampled(trial)
    start = Hours(*(START_H if placement.gpus else CPU_START_H), "cold start")
    train = total([(speeds.training(trained), 1), (_company(trial, placement, rate), trains)])
    evaluation = speeds.sampling(tokens)
    round_s = 3600 * (train.mid + evaluation.mid) / max(1, placement.gpus) / max(1, trial.rounds)
    own = trained_parameters(trial)
    saved = saves(trial, profile, own, round_s) if trains else SavePlan()
    return TrialCost(
        placement=placement,
        train=train,
        evaluation=evaluation,
        start=start.times(max(1, placement.gpus)),
        base=speeds.sampling(base_tokens),
        disk=Disk(
            checkpoint=kept_bytes(trial) * trains + saved.left,
            rollouts=TOKEN_BYTES * trained,
            samples=TOKEN_BYTES * tokens,
            scores=SCORE_BYTES * rows,
        ),
        base_disk=Disk(samples=TOKEN_BYTES * base_tokens, scores=SCORE_BYTES * base_rows),
        saves=saved,
    )


def state_bytes(trial: Trial) -> float:
    """Bytes of one checkpoint that training continues from."""
    trains = trial.trainer == "trl"
    return STATE_BYTES * trained_parameters(trial) * trains


def kept_bytes(trial: Trial) -> float:
    """Bytes of weights that are kept: with LoRA merged ones, and the adapter."""
    adapter = WEIGHT_BYTES * trained_parameters(trial) if trial.peft else 0.0
    return CHECKPOINT_BYTES * parameters_of(trial.model) + adapter


def _company(trial: Trial, placed: Placement, rate: Rate | None) -> Hours:
    """Hours that several GPUs of a trial spend on each other: weights and gradients that go round,
    and the wait for the longest response. None of it where the rate was measured so wide."""
    gpus, parameters = placed.gpus, parameters_of(trial.model)
    if gpus <= (rate.gpus if rate else 1):
        return Hours()
    passes = trial.batch.completions / placed.micro_batch * int(trial.grpo.get("num_iterations", 1))
    exchanges = passes * exchange_s(parameters, placed.nodes)
    waits = (gpus - 1) * trial.cap * token_s(parameters, placed.tensor_parallel)
    hours = trial.rounds * (exchanges + waits) / 3600
    return Hours.around(hours, _spread(placed), "H100 table")


def _spread(placed: Placement) -> float:
    return NODES_SPREAD if placed.nodes > 1 else SPREAD


def parameters_of(model: ModelCard) -> float:
    """Parameters of a model: the card's, else its geometry's, else a guess."""
    if model.parameters or model.geometry is None:
        return model.parameters or UNKNOWN_PARAMETERS
    return parts.dense_parameters(model.geometry)


def trained_parameters(trial: Trial) -> float:
    """Parameters that a trial trains: all, or those of its adapters."""
    if trial.peft is None:
        return parameters_of(trial.model)
    if trial.model.geometry is None:
        return ADAPTER_SHARE * parameters_of(trial.model)
    return parts.adapter_parameters(trial.model.geometry, trial.peft)


def work(trial: Trial) -> float:
    """Time of a round relative to the table's, for the work that the table leaves out: a reference
    model (2 FLOP more a parameter and token) and several passes over the same completions (8 each;
    2 are the old policy's; with LoRA 6, as there are no gradients of frozen weights)."""
    passes = int(trial.grpo.get("num_iterations", 1))
    reference = 2 if float(trial.grpo.get("beta", 0.0)) > 0 else 0
    share = training_share(parameters_of(trial.model))
    return 1 - share + share * ((8 - 2 * bool(trial.peft)) * passes + 2 + reference) / 10


def responses(evaluation: Evaluation) -> int:
    """Responses of one evaluation at one round: greedy takes one a problem."""
    card = evaluation.benchmark
    known = card.kept or card.n or UNKNOWN_PROBLEMS
    problems = min(evaluation.problems or known, known)
    return problems * (evaluation.samples if evaluation.decoding.temperature > 0 else 1)


def _sampled(trial: Trial, lengths: Lengths) -> tuple[float, int]:
    """Tokens and responses of a trial's own evaluations, after round 0."""
    tokens, rows = 0.0, 0
    each: dict[tuple[tuple[int, ...], int], float] = {}  # many benchmarks, one schedule
    for evaluation in trial.evaluations:
        count, cap = responses(evaluation), evaluation.decoding.max_tokens or trial.cap
        rounds = tuple(filter(None, evaluation.rounds))
        if (rounds, cap) not in each:
            each[rounds, cap] = sum(lengths.at(round_, cap) for round_ in rounds)
        tokens += count * each[rounds, cap]
        rows += count * len(rounds)
    return tokens, rows


def _base_sampled(trial: Trial) -> tuple[float, int]:
    """Tokens and responses of the base model's evaluations."""
    length, tokens, rows = untrained(trial), 0.0, 0
    for evaluation in trial.evaluations:
        if 0 in evaluation.rounds:
            count, cap = responses(evaluation), evaluation.decoding.max_tokens or trial.cap
            tokens += count * min(length, cap)
            rows += count
    return tokens, rows


@dataclass(frozen=True, slots=True)
class _Speeds:
    """Tokens an hour of one GPU of a trial, and how sure they are."""

    train: float
    sample: float
    spread: float
    sample_spread: float
    source: str
    sample_source: str

    @classmethod
    def of(
        cls, trial: Trial, profile: ComputeProfile, placed: Placement, rate: Rate | None
    ) -> _Speeds:
        cpu = profile.device == "cpu"
        parameters = parameters_of(trial.model)
        speed = 1.0 if cpu or profile.gpu is None else profile.gpu.speed
        table = "CPU table" if cpu else "H100 table"
        spread = _spread(placed)
        if not trial.model.parameters and trial.model.geometry is None:
            table, spread = f"{table}, size not stated on the card", GUESSED_SPREAD
        sample = sampling_rate(parameters, cpu, placed.tensor_parallel) * speed * 3600
        if rate is not None:
            train = rate.tokens_per_s_per_gpu * 3600
            return cls(train, sample, rate.spread, spread, rate.source, table)
        train = planned_rate(parameters, cpu) * speed * 3600 / work(trial)
        return cls(train, sample, spread, spread, table, table)

    def training(self, tokens: float) -> Hours:
        return Hours.around(tokens / self.train, self.spread, self.source)

    def sampling(self, tokens: float) -> Hours:
        return Hours.around(tokens / self.sample, self.sample_spread, self.sample_source)
