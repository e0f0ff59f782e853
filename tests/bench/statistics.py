"""Do the intervals and verdicts of `zoo.stats` hold what they promise, at 3 to 8 seeds a cell?

    python tests/bench/statistics.py [--scale 1.0] [--only PART]

Draws synthetic studies (normal, t with 3 degrees of freedom, lognormal; spreads 4:1; unequal and
missing seeds; arms of which some trials collapse; 2 to 90 cells; one look and four) and counts how
often intervals cover the true difference, how often any of ten verdicts about equal cells is
decided, and at which effect 80 % are. The mean over all trials where arms collapse is shown as what
it is, failing, and counts in no figure. `--scale` multiplies the repetitions (about eight minutes).
The last line is one JSON object: coverage_min (%), fwer_max and fwer_max_spread_4 (%; the latter
where spreads differ fourfold; both of one look and of four), looks_fwer_max and its _spread_4 (%,
of four looks alone), power_error_max (%, planned against simulated effect).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)  # `statistics` is Python's, not this file

from statistics import fmean  # noqa: E402

import numpy as np  # noqa: E402

from tests.support.drawn_studies import FALL, SCENARIOS, Drawn, Scenario, draw  # noqa: E402
from zoo.stats.contrasts import Estimate, StudyCells  # noqa: E402 - the checkout goes before an install
from zoo.stats.looks import judge_looks, shares, sizes  # noqa: E402
from zoo.stats.power import PowerPart, detectable  # noqa: E402
from zoo.stats.proportions import Difference, clopper_pearson, exact_greater  # noqa: E402
from zoo.stats.samples import pass_at  # noqa: E402
from zoo.stats.verdicts import Comparison, Judged, Region, judge  # noqa: E402

SEEDS = (3, 5, 8)
PARTS = ("coverage", "errors", "looks", "power", "exact")
ANY = Region(low=0.0)


def contrast(a_side: int) -> dict[int, float]:
    """The first even cells less the first odd ones."""
    return {2 * i + odd: (1 - 2 * odd) / a_side for i in range(a_side) for odd in (0, 1)}


def generator(*words: object) -> np.random.Generator:
    """A generator that follows from what is drawn."""
    return np.random.default_rng(list("/".join(map(str, words)).encode()))


# -- coverage --


def coverage(scale: float) -> list[float]:
    """Print the coverage of nominal 95 % intervals and their mean widths; returns all figures that
    must hold."""
    print("coverage of 95 % intervals, % (mean width in sd of the narrow cells)")
    head = " ".join(f"{f'S={s}':>14}" for s in SEEDS)
    print(f"  {'scenario':28} {'cells':>5} {'a side':>6} {head}")
    must_hold: list[float] = []
    for scenario in SCENARIOS:
        for cells, a_side in ((2, 1), (6, 1), (18, 1), (18, 3), (18, 9), (90, 1)):
            if (cells == 2 and scenario.spreads == "elsewhere") or (
                a_side > 1 and scenario.collapse
            ):
                continue
            texts = []
            for seeds in SEEDS:
                reps = int((4000 if cells < 90 else 1500) * scale)
                drawn = draw(
                    generator("cover", scenario, cells, seeds), scenario, reps, cells, seeds
                )
                share, width = covered(drawn, contrast(a_side), 0.0)
                must_hold.append(share)
                texts.append(f"{share:6.1f} ({width:5.2f})")
            print(f"  {scenario.name:28} {cells:5} {a_side:6} {' '.join(texts)}", flush=True)
    for p in (0.2, 0.35):
        texts = []
        scenario = Scenario(f"FAILS: all trials, one arm {p}", collapse=p)
        for seeds in SEEDS:
            drawn = draw(generator("all", p, seeds), scenario, int(2000 * scale), 18, seeds)
            share, width = covered(drawn, contrast(1), -p * FALL, everything=True)
            texts.append(f"{share:6.1f} ({width:5.2f})")
        print(f"  {scenario.name:28} {18:5} {1:6} {' '.join(texts)}", flush=True)
    return must_hold


def covered(
    drawn: Drawn, weights: dict[int, float], true: float, *, everything: bool = False
) -> tuple[float, float]:
    """Share of intervals that hold the true difference, in %, and their mean width; of studies that
    can be judged."""
    hits, widths = 0, []
    for i in range(len(drawn.values)):
        values = drawn.all_trials(i) if everything else drawn.counted(i)
        found = StudyCells(values).estimate(weights)
        if found is None or not found.judged:
            continue
        low, high = found.interval()
        hits += low <= true <= high
        widths.append(high - low)
    return 100 * hits / len(widths), fmean(widths)


def gains(scale: float) -> list[float]:
    """Print the coverage of gains over a base that was measured once."""
    print("\ngains over a base measured once, its noise b in seed sd: coverage, %")
    found = []
    for cells in (1, 9):
        for b in (0.5, 1.0, 2.0):
            shares_ = []
            for seeds in SEEDS:
                rng, hits, reps = generator("gain", cells, b, seeds), 0, int(3000 * scale)
                values, bases = (
                    rng.standard_normal((reps, cells, seeds)),
                    b * rng.standard_normal(reps),
                )
                for study, base in zip(values.tolist(), bases.tolist(), strict=True):
                    estimate = StudyCells(dict(enumerate(study))).estimate(
                        dict.fromkeys(range(cells), 1 / cells), offset=-base, base=b
                    )
                    assert estimate is not None
                    low, high = estimate.interval()
                    hits += low <= 0 <= high
                shares_.append(100 * hits / reps)
            found += shares_
            print(f"  {cells} cells, b {b}: {' '.join(f'{s:.1f}' for s in shares_)}", flush=True)
    return found


def trends(scale: float) -> list[float]:
    """Print the coverage of the mean rise, one line a trial, under autocorrelated evaluations."""
    print("\ntrends, one line a trial, 20 evaluations: coverage, %")
    found, at = [], np.linspace(-0.5, 0.5, 20)
    for rho in (0.0, 0.5, 0.9):
        for tau in (0, 1):
            for seeds in (3, 8):
                rng, reps = generator("trend", rho, tau, seeds), int(3000 * scale)
                error = rng.standard_normal((reps, seeds, 20))
                for t in range(1, 20):
                    fresh = math.sqrt(1 - rho * rho) * error[..., t]
                    error[..., t] = rho * error[..., t - 1] + fresh
                lines = error + tau * rng.standard_normal((reps, seeds, 1)) * at
                rises = (lines @ at / (at @ at)).tolist()
                hits = 0
                for trial_rises in rises:
                    estimate = StudyCells({0: trial_rises}).estimate({0: 1.0})
                    assert estimate is not None
                    low, high = estimate.interval()
                    hits += low <= 0 <= high
                found.append(100 * hits / reps)
                print(f"  rho {rho} tau {tau} seeds {seeds}: {found[-1]:.1f}", flush=True)
    return found


# -- errors --


def errors(scale: float) -> tuple[list[float], list[float]]:
    """Print how often any of ten true nulls is decided; returns the figures of equal spreads, and
    those where spreads differ fourfold."""
    print("\nfamily-wise error over ten verdicts about equal cells, %")
    print(f"  {'scenario':28} {'shape':>6} " + " ".join(f"{f'S={s}':>6}" for s in SEEDS))
    equal: list[float] = []
    fourfold: list[float] = []
    for scenario in SCENARIOS:
        for shape in ("pairs", "star"):
            arms_differ = scenario.one_arm or scenario.spreads == "half" or scenario.collapse
            if shape == "star" and (arms_differ or scenario.seeds in ("S and 3", "3 and S")):
                continue
            texts = []
            for seeds in SEEDS:
                cells = 20 if shape == "pairs" else 12
                reps = int(2500 * scale)
                drawn = draw(
                    generator("fwer", scenario, shape, seeds), scenario, reps, cells, seeds
                )
                rate = fmean(100.0 * any_decided(drawn.counted(i), shape) for i in range(reps))
                (fourfold if scenario.fourfold else equal).append(rate)
                texts.append(f"{rate:6.1f}")
            print(f"  {scenario.name:28} {shape:>6} {' '.join(texts)}", flush=True)
    return equal, fourfold


def ten(values: dict[int, list[float]], shape: str) -> list[Comparison]:
    """Ten comparisons: of pairs of cells, or of ten arms against one control."""
    study = StudyCells(values)
    pairs = [(2 * j, 2 * j + 1) if shape == "pairs" else (j, 11) for j in range(10)]
    found = [study.estimate({a: 1.0, b: -1.0}) for a, b in pairs]
    return [Comparison(ANY, () if one is None else (one,)) for one in found]


def any_decided(values: dict[int, list[float]], shape: str) -> bool:
    return any(one.word != "undecided" for one in judge(ten(values, shape)))


def looks(scale: float) -> tuple[list[float], list[float]]:
    """Print errors and power where seeds are bought in four looks; returns the errors of equal
    spreads, and those where spreads differ fourfold."""
    at = sizes(3, 2, 9)
    print(f"\nten verdicts at looks of {at} seeds, shares {[round(s, 2) for s in shares(4)]}")
    print(f"  {'scenario':28} {'true effects':>14} error %  power %  seeds on average")
    equal: list[float] = []
    fourfold: list[float] = []
    for scenario in (SCENARIOS[i] for i in (0, 1, 3, 5, 6, 8, 10)):
        more = ((5, 2.5), (5, 4.0)) if scenario.name in ("normal", SCENARIOS[6].name) else ()
        for true, effect in ((0, 0.0), *more):
            reps = int(600 * scale)
            drawn = draw(generator("looks", scenario, effect), scenario, reps, 20, at[-1])
            size = effect * (4 if scenario.fourfold else 1)
            drawn.values[:, 0 : 2 * true : 2] += size
            false = right = used = 0
            for i in range(reps):
                verdicts = bought(drawn, i, at)
                false += any(one.word != "undecided" for one in verdicts[true:])
                right += sum(one.word == "supported" for one in verdicts[:true])
                used += sum(
                    at[-1 if one.word == "undecided" else one.look] for one in verdicts[:true]
                )
            rate = 100 * false / reps
            (fourfold if scenario.fourfold else equal).append(rate)
            told = f"  {scenario.name:28} {f'{true} of {effect} sd':>14} {rate:7.1f}"
            if true:
                told += f"  {100 * right / reps / true:7.1f}  {used / reps / true:.1f}"
            print(told, flush=True)
    return equal, fourfold


def bought(drawn: Drawn, i: int, at: list[int]) -> list[Judged]:
    """The verdicts of a study where each look adds seeds to the cells of open comparisons alone."""
    stages: list[list[Comparison]] = []
    verdicts: list[Judged] = []
    values = drawn.counted(i, at[0])
    for n in at:
        grown = drawn.counted(i, n)
        for pair in range(len(values) // 2):
            if not verdicts or verdicts[pair].word == "undecided":
                values |= {cell: grown[cell] for cell in (2 * pair, 2 * pair + 1)}
        stages.append(ten(values, "pairs"))
        verdicts = judge_looks(stages, len(at))
    return verdicts


# -- power --


def power(scale: float) -> float:
    """Print planned beside simulated effects at 80 % power; returns the largest relative error."""
    print("\neffect at 80 % power in seed sd, 18 normal cells: planned, simulated")
    worst = 0.0
    for seeds in SEEDS:
        for a_side in (1, 3, 9):
            weights = contrast(a_side)
            drawn = draw(
                generator("power", seeds, a_side), SCENARIOS[0], int(4000 * scale), 18, seeds
            )
            studies = [
                StudyCells(drawn.all_trials(i)).estimate(weights) for i in range(len(drawn.values))
            ]
            for verdicts in (1, 10):
                parts = [PowerPart(w * w / seeds, seeds - 1) for w in weights.values()]
                planned = detectable(parts, 0.05 / verdicts, 0.2)
                simulated = found_at(studies, 1 - 0.05 / verdicts)
                assert planned is not None
                error = planned / simulated - 1
                worst = max(worst, abs(error))
                told = f"  S={seeds}, {a_side} a side, {verdicts:2} verdicts:"
                print(f"{told} {planned:.2f} {simulated:.2f} ({100 * error:+.1f} %)", flush=True)
    return 100 * worst


def found_at(studies: list[Estimate | None], level: float) -> float:
    """The effect at which 80 % of studies exclude 0: the upper quintile of what each needs."""
    needs = sorted(-found.interval(level)[0] for found in studies if found is not None)
    return needs[int(0.8 * len(needs))]


# -- exact --


def rates(scale: float) -> None:
    """Print the level of the exact test and the worst coverage of its interval, computed over all
    tables."""
    print("\nrates of S against S trials: size at 5 %, worst coverage at 95 %, limit of 0 of S")
    grid = np.linspace(0, 1, 21 if scale >= 1 else 6).tolist()
    for n in SEEDS:
        tables = [(x, y) for x in range(n + 1) for y in range(n + 1)]
        above = {(x, y): exact_greater(x, n, y, n, 0.0) for x, y in tables}
        inside = {(x, y): Difference(x, n, y, n).interval() for x, y in tables}
        size, least = 0.0, 1.0
        for one in grid:
            for other in grid:
                mass = {(x, y): binomial(x, n, one) * binomial(y, n, other) for x, y in tables}
                gap = 100 * (one - other)
                held = (t for t in tables if inside[t][0] - 0.02 <= gap <= inside[t][1] + 0.02)
                least = min(least, sum(map(mass.__getitem__, held)))
                if one == other:
                    rejected = (t for t in tables if min(above[t], above[t[::-1]]) <= 0.025)
                    size = max(size, sum(map(mass.__getitem__, rejected)))
        limit = clopper_pearson(0, n)[1]
        told = f"  S={n}: size {100 * size:.1f} %, coverage {100 * least:.1f} %"
        print(f"{told}, 0 of {n}: up to {100 * limit:.0f} %", flush=True)


def binomial(x: int, n: int, p: float) -> float:
    return math.comb(n, x) * p**x * (1 - p) ** (n - x)


def pass_at_k() -> float:
    """The largest difference of pass@k from all choices of k samples, k up to half of them."""
    worst = 0.0
    for n in range(2, 13):
        for correct in range(n + 1):
            for k in range(1, n // 2 + 1):
                chosen = combinations([i < correct for i in range(n)], k)
                worst = max(worst, abs(pass_at(k, n, correct) - fmean(map(any, chosen))))
    print(f"\npass@k against all choices of k of up to 12 samples: largest difference {worst:.1e}")
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", choices=PARTS, action="append", help="these parts alone")
    words, start = parser.parse_args(), time.perf_counter()
    chosen, scale = words.only or PARTS, words.scale
    figures: dict[str, float] = {}
    if "coverage" in chosen:
        covers = coverage(scale) + gains(scale) + trends(scale)
        figures["coverage_min"] = round(min(covers), 1)
        figures["coverage_max"] = round(max(covers), 1)
    parts = [part for name, part in (("errors", errors), ("looks", looks)) if name in chosen]
    if found := [part(scale) for part in parts]:
        figures["fwer_max"] = round(max(rate for equal, _ in found for rate in equal), 1)
        figures["fwer_max_spread_4"] = round(max(rate for _, four in found for rate in four), 1)
    if "looks" in chosen:
        equal, fourfold = found[-1]
        figures["looks_fwer_max"] = round(max(equal), 1)
        figures["looks_fwer_max_spread_4"] = round(max(fourfold), 1)
    if "power" in chosen:
        figures["power_error_max"] = round(power(scale), 1)
    if "exact" in chosen:
        rates(scale)
        figures["pass_at_k_error_max"] = pass_at_k()
    figures["total_s"] = round(time.perf_counter() - start, 1)
    print()
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
