"""The cost of a sweep: sums, sums by arm, wall-clock, money, disk, downloads.

A trial's cost depends on model, reward, data, batch, a few GRPO settings and its evaluations, not
on its seed or learning rate; so each distinct cost is computed once, and 10,000 trials take a
fraction of a second.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.catalog import ComputeProfile, ModelCard
from zoo.resources.cost import Disk, TrialCost, parameters_of, trial_cost
from zoo.resources.rates import Hours, Rate, total
from zoo.resources.trial_shape import shape
from zoo.trials.trial import Evaluation, Trial

DOWNLOAD_BYTES = 2  # a parameter: the hub's weights are 16-bit


@dataclass(frozen=True, slots=True)
class SweepCost:
    """Cost of a list of trials on one profile. Hours are GPU-hours, or hours of processes where the
    profile has no GPU (`unit`)."""

    unit: str
    trials: tuple[TrialCost, ...]
    """In the order of the trials; equal ones are the same object."""
    train: Hours
    evaluation: Hours
    start: Hours
    base: Hours
    """Evaluations of base models, each counted once."""
    arms: dict[str, dict[str, Hours]]
    """Axis -> value -> hours of its trials, without `base`."""
    wall_hours: Hours | None
    """At least this long: all hours over all GPUs, or the longest trial; None = the profile does
    not say how many GPUs it has."""
    usd: Hours | None
    """Dollars, in the same three figures; None = the profile states no price."""
    disk: Disk
    downloads: dict[str, float]
    """Model -> bytes that are still to be fetched."""
    at_once: int
    """Trials that the profile runs at a time."""
    node_slots: int
    """GPUs of a node, or processes of a CPU."""

    @property
    def hours(self) -> Hours:
        """Everything together."""
        return total((part, 1) for part in (self.train, self.evaluation, self.start, self.base))

    @property
    def peak_bytes(self) -> float:
        """Disk when it is fullest: all that is left at the end, and before that the checkpoints of
        the largest trials that run at once."""
        return self.disk.total + sum(self.downloads.values()) + self.running_bytes

    @property
    def running_bytes(self) -> float:
        """Bytes of checkpoints that go again when their trials end."""
        more = sorted((c.saves.running - c.saves.left for c in self.trials), reverse=True)
        return sum(more[: self.at_once])

    @property
    def worst_loss(self) -> Hours:
        """The most that one dying trial can cost: what came after its last checkpoint."""
        return max((cost.loss for cost in self._here), key=lambda h: h.mid, default=Hours())

    @property
    def node_loss(self) -> tuple[int, Hours]:
        """The most that the loss of a node can cost: the number of concurrent trials there, and
        their hours. A trial over several nodes is lost completely."""
        slots, taken, running = self.node_slots, 0, list[Hours]()
        for cost in sorted(self._here, key=lambda c: -c.loss.mid / max(1, c.gpus)):
            width = min(max(1, cost.gpus), slots)
            if taken + width <= slots and len(running) < self.at_once:
                taken += width
                running.append(cost.loss)
        return len(running), total((hours, 1) for hours in running)

    @property
    def _here(self) -> list[TrialCost]:
        """Costs of the trials that have room on the profile."""
        return [cost for cost in self.trials if cost.placement.fits is not False]


def sweep_cost(
    trials: Iterable[Trial],
    profile: ComputeProfile,
    rates: Mapping[str, Rate] | None = None,
    fetched: Collection[str] = (),
    prompts: Mapping[str, int] | None = None,
) -> SweepCost:
    """Cost of trials (those that are left to run) on a profile.

    Args:
        rates: model card -> rate measured on this hardware.
        fetched: models whose weights lie here already.
        prompts: trial id -> tokens of its longest prompt, where it was measured.
    """
    sums = _Sums(profile, rates or {}, prompts or {})
    for trial in trials:
        sums.add(trial)
    return sums.done(fetched)


class _Sums:
    """Distinct costs and how often each occurs, all together and by arm."""

    def __init__(
        self, profile: ComputeProfile, rates: Mapping[str, Rate], prompts: Mapping[str, int]
    ) -> None:
        self.profile, self.rates, self.prompts = profile, rates, prompts
        self.index: dict[tuple[Any, ...], int] = {}
        self.costs: list[TrialCost] = []
        self.order: list[int] = []
        self.arms: defaultdict[tuple[str, Any], list[int]] = defaultdict(list)
        self.bases: dict[tuple[Any, ...], tuple[Hours, Disk]] = {}
        self.models: dict[str, ModelCard] = {}
        self._measured: dict[int, tuple[tuple[Evaluation, ...], int]] = {}
        self._plans: dict[tuple[Any, ...], int] = {}

    def add(self, trial: Trial) -> None:
        """Count one trial."""
        prompt = self.prompts.get(trial.id)
        key = (prompt, *self._key(trial))
        at = self.index.get(key)
        if at is None:
            at = self.index[key] = len(self.costs)
            cost = trial_cost(trial, self.profile, self.rates, prompt=prompt)
            self.costs.append(cost)
            if not trial.simulated:
                self.models |= {model.name: model for model in (trial.model, trial.start)}
            start_from = (trial.start.name, trial.prompt.name, trial.cap, key[-1])
            self.bases.setdefault(start_from, (cost.base, cost.base_disk))
        self.order.append(at)
        for arm in trial.cell.items():
            self.arms[arm].append(at)

    def done(self, fetched: Collection[str]) -> SweepCost:
        """The sums."""
        often = Counter(self.order)
        parts = {
            part: total((getattr(self.costs[at], part), n) for at, n in often.items())
            for part in ("train", "evaluation", "start")
        }
        base = total((hours, 1) for hours, _ in self.bases.values())
        whole = total([*((hours, 1) for hours in parts.values()), (base, 1)])
        gpu, profile = self.profile.gpu, self.profile
        disks = [(self.costs[at].disk, n) for at, n in often.items()]
        disks += [(disk, 1) for _, disk in self.bases.values()]
        return SweepCost(
            unit="CPU-hours" if profile.device == "cpu" else "GPU-hours",
            trials=tuple(self.costs[at] for at in self.order),
            base=base,
            arms=self._by_arm(),
            wall_hours=self._wall(whole),
            usd=whole.times(gpu.usd_per_hour) if gpu and gpu.usd_per_hour is not None else None,
            disk=_disk(disks),
            downloads=self._downloads(fetched),
            at_once=profile.concurrency,
            node_slots=self._node_slots(),
            **parts,
        )

    def _key(self, trial: Trial) -> tuple[Any, ...]:
        """The inputs of a trial's cost."""
        return (
            *shape(trial),
            trial.reward.name,
            trial.data.name,
            trial.prompt.name,
            trial.rounds,
            trial.grpo.get("num_iterations"),
            self._plan(trial.evaluations),
        )

    def _plan(self, evaluations: tuple[Evaluation, ...]) -> int:
        """An index for the evaluations; equal tuples are computed once."""
        seen = self._measured.get(id(evaluations))
        if seen is None:
            plan = tuple(
                (
                    e.benchmark.name,
                    e.problems,
                    e.samples,
                    e.decoding.temperature,
                    e.decoding.max_tokens,
                    e.rounds,
                )
                for e in evaluations
            )
            seen = (evaluations, self._plans.setdefault(plan, len(self._plans)))
            self._measured[id(evaluations)] = seen  # kept alive, so the id stays its own
        return seen[1]

    def _by_arm(self) -> dict[str, dict[str, Hours]]:
        hours = [cost.hours for cost in self.costs]
        arms: dict[str, dict[str, Hours]] = {}
        for (axis, value), found in self.arms.items():
            often = Counter(found)
            arms.setdefault(axis, {})[str(value)] = total((hours[at], n) for at, n in often.items())
        return arms

    def _wall(self, whole: Hours) -> Hours | None:
        cpu = self.profile.device == "cpu"
        slots = self.profile.concurrency if cpu else self.profile.gpus
        if not slots:
            return None
        even = whole.times(1 / slots)
        trials = [cost.hours.times(1 / max(1, cost.gpus)) for cost in self.costs]
        return max([even, *trials], key=lambda hours: hours.mid)

    def _node_slots(self) -> int:
        profile = self.profile
        if profile.device == "cpu":
            return profile.concurrency
        return min(profile.gpus_per_node, profile.gpus or profile.concurrency)

    def _downloads(self, fetched: Collection[str]) -> dict[str, float]:
        return {
            name: DOWNLOAD_BYTES * parameters_of(model)
            for name, model in self.models.items()
            if model.repo is not None and name not in fetched
        }


def _disk(disks: list[tuple[Disk, int]]) -> Disk:
    return Disk(
        checkpoint=sum(n * disk.checkpoint for disk, n in disks),
        rollouts=sum(n * disk.rollouts for disk, n in disks),
        samples=sum(n * disk.samples for disk, n in disks),
        scores=sum(n * disk.scores for disk, n in disks),
    )


def forecloses(trials: Iterable[Trial]) -> tuple[str, ...]:
    """Which later evaluations need training again, and which do not, given what zoo keeps: the
    texts of all rollouts and samples, and the weights after the last round."""
    real = [trial for trial in trials if trial.trainer == "trl"]
    if not real:
        return ()
    measured = {id(trial.evaluations): trial.evaluations for trial in real}.values()
    sampled = [e.samples for plan in measured for e in plan if e.decoding.temperature > 0]
    told = [
        "Only the weights after the last round are kept: another benchmark, decoding or more "
        "samples can be evaluated there and on the base model; at rounds between, only by training "
        "again.",
        "Optimiser states are not kept once a trial is done, unless the profile has "
        "`keep_extendable`: without them `zoo extend` cannot continue a finished trial.",
        "Log-probabilities are not kept: entropy or divergence of single tokens cannot be "
        "computed later.",
        "All training responses and all samples are kept with their texts: another grader, format "
        "metric or behaviour judge can score every round without training.",
    ]
    if sampled:
        widest = max(sampled)
        told.insert(1, f"Between first and last round, pass@k ends at k = {widest}.")
    return tuple(told)
