"""What a design can detect: the smallest true effect that a claim finds with 80 % power at a
two-sided error of 5 %.

The model is the one by which claims are judged (`zoo.stats.power`): Welch's t with a variance
floor, each cell with its own spread, arms not paired by seed. What this module adds is what each
kind of claim puts into it, with S seeds, m cells a side and spread sd:

    contrast     2m cells of variance sd^2 / (m^2 S)
    gain         m cells, and b^2 = the base's own noise: a base (model x prompt x cap) is evaluated
                 once and shared by all seeds and cells that start from it, so b^2 = noise^2 sum
                 (c / m)^2 over the bases, c cells each; noise = 0 under greedy decoding
    interaction  4m cells
    trend        m cells; the spread of a trial's rise is sd sqrt(R^2 / Sxx), R = last less first
                 round, Sxx = sum (r - mean)^2, as if rounds were independent around the line (the
                 judge fits one line a trial and uses its observed spread between trials)
    ordering     the contrast, missed with probability 0.2 / n: all n steps must be true together
    crossover    the gain, likewise, for n values of k
    rate         the exact test of two shares near one half, the least favourable
    equal_within missed with probability 0.1: both bounds must be met; the result is the margin that
                 can be shown

Seeds of checkpoints that were trained elsewhere only sample them again: sd is the noise of sampling
alone (0 under greedy decoding), which is known, so one seed is enough. Verdicts are then
about these checkpoints.

The spread comes from this machine's own records where they have it (`zoo.runs.seed_noise`), else
from `zoo.claims.measurement_noise`. Reads no values of any trial.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from zoo.claims.comparisons import ClaimComparison, Contrast, TrialOf, cells_of, units
from zoo.claims.measurement_noise import Spread, prior, resampled
from zoo.manifest.claim_schema import Claim
from zoo.manifest.schema import Experiment
from zoo.stats.looks import shares
from zoo.stats.power import PowerPart, detectable
from zoo.stats.proportions import detectable_rates
from zoo.stats.verdicts import ALPHA, POWER
from zoo.trials.grid import Cell
from zoo.trials.metrics import Metric, Series, final_rounds, last_k, metrics_of
from zoo.trials.trial import Trial

MOST_SEEDS = 1000


@dataclass(frozen=True, slots=True)
class Power:
    """What one verdict of a claim can detect. Effects are in the unit of the claim's metric; None
    where the seeds do not decide (one seed has no spread, or the spread is unknown)."""

    claim: Claim
    unit: ClaimComparison
    measure: str
    """Unit of all numbers: points, tokens, or as logged."""
    cells: int
    """Cells of the smallest side."""
    seeds: int
    spread: Spread | None
    """None for rates, and where the spread is unknown."""
    verdicts: int
    """Sealed verdicts of the study, for the correction."""
    weights: tuple[float, ...]
    """Weight of each trained cell in the hardest contrast; of a trend times its rise."""
    base: float = 0.0
    """Standard error that the base models bring in; no seed lowers it."""
    trained: bool = True
    """Whether a seed is another training. One of a checkpoint from elsewhere is only another
    sampling, whose spread is known."""
    looks: int = 1
    """Looks in which seeds are added; the power is that of the last one, with its share of the
    error."""

    def effect(self, seeds: int, *, corrected: bool = False) -> float | None:
        """The smallest effect that so many seeds find (for `equal_within`: the smallest margin that
        they can show); corrected = by Bonferroni, the hardest step of Holm's."""
        error = ALPHA * shares(self.looks)[-1] / (self.verdicts if corrected else 1)
        miss = (1 - POWER) / len(self.unit.contrasts)
        if self.claim.expect.word == "equal_within":
            miss /= 2
        if self.claim.kind == "rate":
            one, other = (len(side.cells) * seeds for side in self.unit.contrasts[0])
            return detectable_rates(one, other, error, miss)
        if self.spread is None:
            return None
        known = None if self.trained else self.spread.value / math.sqrt(seeds)
        return _linear(self.weights, self.spread.value, seeds, self.base, known, error, miss)

    @property
    def detects(self) -> float | None:
        """The effect that the manifest's seeds detect."""
        return self.effect(self.seeds)

    @property
    def corrected(self) -> float | None:
        """The same after the correction for all sealed verdicts."""
        return self.effect(self.seeds, corrected=True)

    @property
    def one_more(self) -> float | None:
        """The effect that one more seed would detect."""
        return self.effect(self.seeds + 1)

    @property
    def needs(self) -> float | None:
        """The true effect that it takes to be supported: beyond the stated number by what is
        detected. Negative where a slightly worse arm would still do; None for `equal_within`."""
        expect, found = self.claim.expect, self.detects
        if found is None or expect.word == "equal_within":
            return None
        if expect.word == "not_before":
            return found
        return found + (-expect.number if expect.word == "not_worse_than" else expect.number)

    @property
    def margin(self) -> float:
        """The stated number where it is an effect; 0 where any effect counts."""
        return 0.0 if self.claim.expect.word == "not_before" else self.claim.expect.number

    @property
    def enough(self) -> bool:
        """Whether the seeds detect an effect as small as the stated number (any, where it is 0)."""
        return self.detects is not None and (self.margin == 0 or self.detects <= self.margin)

    @property
    def enough_corrected(self) -> bool:
        """The same after the correction for all sealed verdicts."""
        return self.corrected is not None and (self.margin == 0 or self.corrected <= self.margin)

    @property
    def seeds_enough(self) -> int | None:
        """The fewest seeds of which `enough` is true; None where no number up to 1,000 is."""
        return self._fewest(lambda power: power.enough)

    @property
    def seeds_enough_corrected(self) -> int | None:
        """The fewest seeds of which `enough_corrected` is true; None as above."""
        return self._fewest(lambda power: power.enough_corrected)

    def _fewest(self, enough: Callable[[Power], bool]) -> int | None:
        if self.claim.kind != "rate" and self.spread is None:
            return None
        low, high = 0, 1
        while not enough(replace(self, seeds=high)):
            low, high = high, 2 * high
            if high > MOST_SEEDS:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(replace(self, seeds=middle)) else (middle, high)
        return high


@lru_cache(maxsize=4096)
def _linear(
    weights: tuple[float, ...],
    spread: float,
    seeds: int,
    base: float,
    known: float | None,
    error: float,
    miss: float,
) -> float | None:
    """The effect of a sum of cell means; `known`: the standard error of a cell where no spread
    between seeds is estimated."""
    if known is not None:
        return detectable([], error, miss, known=math.hypot(known * math.hypot(*weights), base))
    parts = [PowerPart((weight * spread) ** 2 / seeds, seeds - 1) for weight in weights]
    return detectable(parts, error, miss, known=base)


def powers_of(
    experiment: Experiment, trials: Sequence[Trial], spreads: Mapping[str, Spread] | None = None
) -> list[Power]:
    """What the claims of a manifest can detect with the trials that it expands to; with those of
    its last look where it has looks."""
    cells, seeds = cells_of(trials), len({trial.seed for trial in trials})
    last, sizes = last_k(experiment.final), experiment.look_sizes
    if sizes:
        seeds = sizes[-1]
    metrics = metrics_of(trials)
    found = powers(experiment.claims, cells, seeds, metrics, spreads, trials, last)
    return [replace(power, looks=len(sizes)) for power in found] if sizes else found


def powers(
    claims: Sequence[Claim],
    cells: Sequence[Cell],
    seeds: int,
    metrics: Mapping[str, Metric],
    spreads: Mapping[str, Spread] | None = None,
    trials: Iterable[Trial] = (),
    last: int = 1,
) -> list[Power]:
    """One entry for each verdict, in the claims' order; claims have passed `check_claims`.

    Args:
        cells: all distinct cells of the study.
        spreads: by metric; they replace the prior.
        trials: of these cells; they define the base model of each and who trained it. Without
            them a base is a model and prompt, and all is trained here.
        last: evaluations that a final number is the mean of.
    """
    made = [(claim, unit) for claim in claims for unit in units(claim, cells)]
    known = TrialOf(trials)
    found: list[Power] = []
    for claim, unit in made:
        metric = metrics[claim.metrics[-1]]
        trend = claim.kind == "trend"
        series = metric.series
        trained = any(_trained(known.get(cell)) for cell in unit.cells)
        again = resampled(metric, series)
        averaged = 1 if trend else len(final_rounds(series.rounds, metric.horizon, last)) or 1
        known_spread = (spreads or {}).get(metric.name) or prior(metric, series, averaged)
        spread = known_spread if trained else again
        noise = again or spread  # the spread between seeds has that of sampling in it
        shares = max(_base_share(contrast, known) for contrast in unit.contrasts)
        rise = _rise(series) if trend else 1.0
        found.append(
            Power(
                claim=claim,
                unit=unit,
                measure="points" if claim.kind == "rate" else metric.unit,
                cells=min(len(side.cells) for c in unit.contrasts for side in c),
                seeds=seeds,
                spread=None if claim.kind == "rate" else spread,
                verdicts=len(made),
                weights=max(
                    (_weights(contrast, rise) for contrast in unit.contrasts),
                    key=lambda weights: math.hypot(*weights),
                ),
                base=noise.value * shares if noise else 0.0,
                trained=trained,
            )
        )
    return found


def _weights(contrast: Contrast, rise: float) -> tuple[float, ...]:
    """The weight of each trained cell of a contrast."""
    sides = (side.cells for side in contrast if not side.base)
    return tuple(rise / len(cells) for cells in sides for _ in cells)


def _base_share(contrast: Contrast, known: TrialOf) -> float:
    """Standard error of the base models of a contrast over the noise of one measurement."""
    square = 0.0
    for side in (side for side in contrast if side.base):
        often = Counter(base_of(cell, known.get(cell)) for cell in side.cells)
        square += sum((n / len(side.cells)) ** 2 for n in often.values())
    return math.sqrt(square)


def base_of(cell: Cell, trial: Trial | None) -> Hashable:
    """What the samples of a cell's base model depend on and cells differ in; see
    `zoo.evals.stages.sample_identity`."""
    if trial is None:
        return cell.get("model"), cell.get("prompt")
    return trial.start.name, trial.prompt.name, trial.model.stop_ids, trial.cap


def _trained(trial: Trial | None) -> bool:
    return trial is None or trial.trainer != "external"


def _rise(series: Series) -> float:
    """Standard error of a fitted line's rise over the spread of one measurement."""
    rounds = series.rounds
    mean = sum(rounds) / len(rounds)
    return (rounds[-1] - rounds[0]) / math.sqrt(sum((r - mean) ** 2 for r in rounds))


# -- in words -------------------------------------------------------------------------------------


def lines(found: Sequence[Power]) -> list[str]:
    """The text of each claim, and indented under it what the seeds can detect: one line, or several
    where its verdicts differ. Facts that `basis` prints are left out."""
    common = _common(found)
    groups: dict[str, dict[str, list[Power]]] = {}
    for power in found:
        numbers = groups.setdefault(power.claim.id, {})
        numbers.setdefault(_numbers(power, common), []).append(power)
    told: list[str] = []
    for id_, numbers in groups.items():
        alike = list(numbers.values())
        verdicts = sum(map(len, alike))
        told.append(f"{alike[0][0].claim.says} ({id_}{_count(verdicts)})")
        for text, same in numbers.items():
            told.append(f"  {f'{_labels(same)}: ' if len(alike) > 1 else ''}{text}")
    return told


def basis(found: Sequence[Power]) -> str:
    """The assumptions that all claims share: `3 cells a side, seed spread 1.3 points, prior`;
    empty where they differ in it."""
    return ", ".join(_common(found))


def amount(value: float, measure: str) -> str:
    """An effect with its unit: `3.0 points`, `120 tokens`."""
    if measure == "tokens":
        return f"{value:.0f} tokens"
    return f"{value:.1f} points" if measure == "points" else f"{value:.3g}"


def seeds_do(n: int, verb: str) -> str:
    """`1 seed detects`, `3 seeds detect`."""
    return f"{seeds_of(n)} {verb}{'s' * (n == 1)}"


def seeds_of(n: int) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{n} seed{'s'[: n != 1]}"


def _count(verdicts: int) -> str:
    return f", {verdicts} verdicts" if verdicts > 1 else ""


def _labels(same: list[Power]) -> str:
    labels = [power.unit.label for power in same]
    return ", ".join(labels[:3]) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")


def _numbers(power: Power, common: Sequence[str]) -> str:
    """`3 seeds detect 3.0 points (...); ...`."""
    detects, more = power.detects, power.one_more
    if power.spread is None and power.claim.kind != "rate":
        metric, who = power.claim.metrics[-1], seeds_do(power.seeds, "detect")
        return f"cannot estimate what {who}; no seed noise of {metric} is known yet"
    if detects is None:
        text = f"{seeds_of(power.seeds)} cannot decide it"
        more_text = f"{power.seeds + 1} would detect {amount(more, power.measure)}" if more else ""
        return "; ".join(filter(None, (text, more_text)))
    if detects == 0:
        return "greedy responses are the same every time: any difference counts, on these problems"
    equal = power.claim.expect.word == "equal_within"
    verb, within = ("show", " equality within") if equal else ("detect", "")
    own = ", ".join(part for part in _basis(power) if part not in common)
    text = f"{seeds_do(power.seeds, verb)}{within} {amount(detects, power.measure)}"
    parts = [text + (f" ({own})" if own else "")]
    if more is not None and power.looks == 1:
        parts.append(f"{power.seeds + 1} would {verb}{within} {amount(more, power.measure)}")
    if power.verdicts > 1 and power.corrected is not None:
        parts.append(f"{amount(power.corrected, power.measure)} after correction")
    if power.margin and power.needs is not None:
        parts.append(needed(power))
    return "; ".join(parts)


def needed(power: Power) -> str:
    """`lower_by: 2` needs a true effect of 5.0 points."""
    needs = amount(abs(power.needs or 0), power.measure)
    if power.claim.expect.word != "not_worse_than":
        return f"`{power.claim.expect}` needs a true effect of {needs}"
    if (power.needs or 0) > 0:
        return f"`{power.claim.expect}` needs one that is truly better by {needs}"
    return f"`{power.claim.expect}` holds up to a true loss of {needs}"


def _common(found: Sequence[Power]) -> list[str]:
    """Parts of the basis that all effects share; a rate has none of its own to share."""
    linear = [_basis(power) for power in found if power.detects and power.claim.kind != "rate"]
    return [part for part in linear[0] if all(part in other for other in linear)] if linear else []


def _basis(power: Power) -> list[str]:
    parts = [f"{power.cells} cell{'s'[: power.cells != 1]} a side"]
    if power.looks > 1:
        parts.append(f"at the last of {power.looks} looks")
    if power.base:
        parts.append(f"base known to {amount(power.base, power.measure)}")
    if power.spread is None:
        return [*parts, "shares near one half"]
    word = "seed spread" if power.trained else "spread"
    value = amount(power.spread.value, power.measure)
    return [*parts, f"{word} {value}, {power.spread.source}"]
