"""Bounds: 1,000 hostile answers mixed into 10,000 good ones.

    python tests/bench/grading_bounds.py [--workers N]

Prints total time, the worst single answer, the memory of this process, how many results were lost,
and how many of the good answers got another verdict than without the hostile ones (both must be 0).
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from zoo.grading import Grader, Item  # noqa: E402 - the checkout goes before an install

CORPUS = ROOT / "tests" / "golden" / "grading_hostile.jsonl"
PAIRS = ROOT / "tests" / "golden" / "grading_pairs.jsonl"


def hostile_items(count: int) -> list[Item]:
    """The corpus, repeated up to `count`; each repetition is another text, so that nothing is
    remembered.
    """
    rows = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines()]
    items = []
    for index in range(count):
        row = rows[index % len(rows)]
        text = "".join(part * times for part, times in row["parts"])
        text = f"\\boxed{{{text}}}" if row["boxed"] else text
        items.append(Item(row["gold"], f"attempt {index}: " + text))
    return items


def good_items(count: int) -> tuple[list[Item], list[str]]:
    """Answers of every form with the verdicts that they must get."""
    rows = [json.loads(line) for line in PAIRS.read_text(encoding="utf-8").splitlines()]
    items, verdicts = [], []
    for index in range(count):
        row = rows[index % len(rows)]
        items.append(Item(row["gold"], f"Step {index}. So it is \\boxed{{{row['prediction']}}}."))
        verdicts.append(row["verdict"])
    return items, verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--hostile", type=int, default=1_000)
    parser.add_argument("--good", type=int, default=10_000)
    options = parser.parse_args()
    good, expected = good_items(options.good)
    mixed = [(item, verdict) for item, verdict in zip(good, expected, strict=True)]
    mixed += [(item, "") for item in hostile_items(options.hostile)]
    random.Random(0).shuffle(mixed)
    with Grader("boxed", workers=options.workers) as grader:
        start = time.perf_counter()
        graded = grader.grade([item for item, _ in mixed])
        total_s = time.perf_counter() - start
    pairs = list(zip(graded, mixed, strict=True))
    figures = {
        "answers": len(mixed),
        "total_s": round(total_s, 2),
        "worst_ms": round(max(result.ms for result in graded), 1),
        "max_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "lost": len(mixed) - len(graded),
        "unscored": sum(not result.verdict.scored for result in graded),
        "wrong_among_good": sum(want != "" and r.verdict != want for r, (_, want) in pairs),
        "correct_among_hostile": sum(want == "" and r.verdict.correct for r, (_, want) in pairs),
        "by_time_or_memory": sum(result.by in ("time", "memory") for result in graded),
    }
    for name, value in figures.items():
        print(f"{name:24}{value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
