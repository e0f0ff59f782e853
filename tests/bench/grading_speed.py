"""Completions a second, ours against math-verify, on one core and on two.

    python tests/bench/grading_speed.py [--each N] [--stock N]

Half of the completions are GSM8K model solutions, half MATH-style boxed answers, right (also in
other notation) and wrong. math-verify gets the same completions (its intended input: references
inside `$\\boxed{}$`), without time-outs, in this process. Our caches are emptied before each
measurement, and no completion comes twice in one. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from zoo.grading import Grader, Item, fast, shapes, tidy  # noqa: E402 - the checkout goes before an install  # noqa: E402

HOSTILE = ROOT / "tests" / "golden" / "grading_hostile.jsonl"
ROUND = 8_192  # completions of one round of the study: 1,024 prompts x 8


def data_folder() -> Path:
    """Where the case files lie: `ZOO_DATA`, else beside the checkout."""
    return Path(os.environ.get("ZOO_DATA", ROOT.parent / "shared" / "data"))


def gsm8k_items(count: int) -> list[Item]:
    """Model solutions that end in `A: N`."""
    lines = (data_folder() / "verifier_cases.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["style"] == "gsm8k_text"]
    return [
        Item(row["gold"], f"Solution {index}.\n{row['prediction']}")
        for index, row in zip(range(count), rows * (1 + count // len(rows)), strict=False)
    ]


def math_items(count: int, seed: int = 0) -> list[Item]:
    """Boxed answers to MATH problems: a third as the reference, a third in other notation, a third
    wrong.
    """
    lines = (data_folder() / "buckets" / "hard_12k.jsonl").read_text(encoding="utf-8").splitlines()
    draw = random.Random(seed)
    golds = draw.sample([json.loads(line)["answer"] for line in lines], min(count, len(lines)))
    items = []
    for index in range(count):
        gold = golds[index % len(golds)]
        answer = (gold, _rewritten(gold), draw.choice(golds))[index % 3]
        items.append(Item(gold, f"By step {index}, the answer is $\\boxed{{{answer}}}$."))
    return items


def _rewritten(gold: str) -> str:
    """The reference as another writer would set it."""
    text = gold.replace("\\frac", "\\dfrac").replace("\\left", "").replace("\\right", "")
    return re.sub(r"(?<=[,+=])", " ", text.replace(" ", "")) if "\\text" not in text else text


def hostile_items(count: int) -> list[Item]:
    """The hostile corpus, repeated up to `count`, each time another text."""
    rows = [json.loads(line) for line in HOSTILE.read_text(encoding="utf-8").splitlines()]
    items = []
    for index in range(count):
        row = rows[(index * 37) % len(rows)]
        text = "".join(part * min(times, 20_000) for part, times in row["parts"])
        text = f"\\boxed{{{text}}}" if row["boxed"] else text
        items.append(Item(row["gold"], f"Attempt {index}: {text}"))
    return items


def ours_s(items: Sequence[Item], workers: int = 1) -> float:
    """Seconds to grade `items` with empty caches and a started worker."""
    for cached in (fast._settle_cached, shapes.read_form, tidy.tidy):
        cached.cache_clear()
    with Grader("auto", workers=workers) as grader:
        grader.grade([Item(r"\int_0^1 x dx", "1")])
        start = time.perf_counter()
        grader.grade(items)
        return time.perf_counter() - start


def stock_s(items: Sequence[Item]) -> float:
    """Seconds that math-verify takes for `items`."""
    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify

    start = time.perf_counter()
    for item in items:
        gold = parse(f"$\\boxed{{{item.gold}}}$", parsing_timeout=None)
        verify(gold, parse(item.text, parsing_timeout=None), timeout_seconds=None)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=4_000, help="completions of each half, ours")
    parser.add_argument("--stock", type=int, default=300, help="of each half, math-verify")
    options = parser.parse_args()
    halves = {"gsm8k": gsm8k_items(options.each), "math": math_items(options.each)}
    figures: dict[str, float] = {}
    for name, items in halves.items():
        figures[f"{name}_ours_per_s"] = options.each / min(ours_s(items) for _ in range(3))
        figures[f"{name}_math_verify_per_s"] = options.stock / stock_s(items[: options.stock])
    mix = [item for pair in zip(*halves.values(), strict=True) for item in pair]
    for workers in (1, 2):
        seconds = min(ours_s(mix, workers) for _ in range(3))
        figures[f"mix_ours_per_s_{workers}"] = len(mix) / seconds
    rates = [figures[f"{name}_math_verify_per_s"] for name in halves]
    figures["mix_math_verify_per_s"] = 2 / sum(1 / rate for rate in rates)
    ratio = figures["mix_ours_per_s_1"] / figures["mix_math_verify_per_s"]
    figures["ratio_to_math_verify"] = ratio
    clean_s = min(ours_s(mix) for _ in range(3))
    mixed = mix + hostile_items(len(mix) // 20)
    figures["hostile_5pc_factor"] = min(ours_s(mixed) for _ in range(3)) / clean_s
    whole = (mix * (1 + ROUND // len(mix)))[: ROUND - ROUND // 100]
    figures["round_8192_s_2"] = ours_s(whole + hostile_items(ROUND // 100), workers=2)
    for name, value in figures.items():
        print(f"{name:28}{value:12.2f}")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
