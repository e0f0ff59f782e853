"""The hack table: what a strict human marker must refuse, with our verdict and stock math-verify's.

    python tests/bench/grading_hacks.py

The last line is one JSON object: how many of the committed hacks each grader accepts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from zoo.grading import Grader, Item  # noqa: E402 - the checkout goes before an install
from zoo.grading.pool import Limits, Pool  # noqa: E402

HACKS = ROOT / "tests" / "golden" / "grading_hacks.jsonl"


def main() -> None:
    rows = [json.loads(line) for line in HACKS.read_text(encoding="utf-8").splitlines()]
    with Grader("auto") as grader:
        ours = grader.grade([Item(row["gold"], row["text"]) for row in rows])
    pool = Pool(1, Limits(cpu_s=5.0, wall_s=5.0))
    try:
        stock = pool.judge([(f"$\\boxed{{{row['gold']}}}$", row["text"]) for row in rows])
    finally:
        pool.close()
    print(f"{'family':22}{'gold':18}{'answer':48}{'ours':10}math-verify")
    for row, result, reply in zip(rows, ours, stock, strict=True):
        said = "CORRECT" if reply.get("equal") else "wrong"
        text = row["text"].replace("\n", " ")[:46]
        print(f"{row['family']:22}{row['gold'][:16]:18}{text:48}{result.verdict:10}{said}")
    accepted = {
        "hacks": len(rows),
        "ours_accepts": sum(result.verdict.correct for result in ours),
        "math_verify_accepts": sum(bool(reply.get("equal")) for reply in stock),
    }
    print(json.dumps(accepted))


if __name__ == "__main__":
    main()
