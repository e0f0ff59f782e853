"""The table by source: our grader beside stock math-verify on real cases, in one run.

    python tests/bench/grading_accuracy.py [--cases FILE] [--all]

Both graders get the same two texts: a reference without math delimiters goes into `$\\boxed{}$`,
and so does an answer of the styles that are bare answers. Anything but CORRECT counts as 0. Cases
on the committed list of contested ids are left out for both (`--all` keeps them). Every remaining
disagreement with a label is printed. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[0] = str(ROOT)

from zoo.grading import Grader, Item, Result  # noqa: E402 - the checkout goes before an install
from zoo.grading.pool import Limits, Pool  # noqa: E402
from zoo.grading.verifier_cases import read_gold  # noqa: E402

CONTESTED = ROOT / "tests" / "golden" / "grading_contested.jsonl"
_MATH = re.compile(r"\$|\\boxed|\\\(|\\\[")
_BARE_STYLES = ("answer", "security")


def data_folder() -> Path:
    """Where the case files lie: `ZOO_DATA`, else beside the checkout."""
    return Path(os.environ.get("ZOO_DATA", ROOT.parent / "shared" / "data"))


def wrapped(case: dict[str, Any]) -> tuple[str, str]:
    """The two texts that both graders get."""
    gold, prediction = case["gold"], case["prediction"]
    if not _MATH.search(gold):
        gold = f"$\\boxed{{{gold}}}$"
    if case["style"] in _BARE_STYLES and not _MATH.search(prediction):
        prediction = f"$\\boxed{{{prediction}}}$"
    return gold, prediction


def ours(cases: Sequence[dict[str, Any]]) -> list[Result]:
    """Our results under the policy `auto`."""
    with Grader("auto") as grader:
        items = [Item(read_gold(gold), text) for gold, text in map(wrapped, cases)]
        return grader.grade(items).results


def stock(cases: Sequence[dict[str, Any]]) -> list[bool]:
    """What math-verify says with its defaults, each case in a worker of ten seconds."""
    pool = Pool(1, Limits(cpu_s=10.0, wall_s=10.0))
    try:
        replies = pool.judge([wrapped(case) for case in cases])
    finally:
        pool.close()
    return [bool(reply.get("equal")) for reply in replies]


def table(path: Path, keep_contested: bool = False) -> dict[str, Any]:
    """The figures by source and over all, and the cases that we disagree with."""
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    contested = {json.loads(line)["id"] for line in CONTESTED.read_text().splitlines()}
    counted = [case for case in cases if keep_contested or str(case["id"]) not in contested]
    results, says = ours(counted), stock(counted)
    rows: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    wrong = []
    for case, result, said in zip(counted, results, says, strict=True):
        expected = bool(int(case["expected"]))
        row = rows[case["source_repo"]]
        row[0] += 1
        row[1] += result.verdict.correct == expected
        row[2] += said == expected
        if result.verdict.correct != expected:
            wrong.append({"id": case["id"], "said": said, "result": result, "expected": expected})
    texts = [r for case, r in zip(counted, results, strict=True) if "text" in case["style"]]
    return {
        "cases": len(cases),
        "counted": len(counted),
        "sources": dict(rows),
        "wrong": wrong,
        "faults": sum(result.verdict == "grader_fault" for result in results),
        "fast_share": sum(r.by not in ("symbolic", "time", "memory") for r in texts) / len(texts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=Path, default=data_folder() / "verifier_cases.jsonl")
    parser.add_argument("--all", action="store_true", help="keep the contested cases")
    options = parser.parse_args()
    found = table(options.cases, options.all)
    print(f"{'source':45}{'cases':>6}{'ours':>8}{'math-verify':>13}")
    for source, (n, right, said) in sorted(found["sources"].items()):
        print(f"{source:45}{n:6}{right / n:8.3f}{said / n:13.3f}")
    n, right, said = map(sum, zip(*found["sources"].values(), strict=True))
    print(f"{'all':45}{n:6}{right / n:8.3f}{said / n:13.3f}")
    for row in found["wrong"]:
        result = row["result"]
        print(f"{row['id']}: {result.gold!r} | {result.prediction!r} -> {result.verdict}")
    figures = {"n": n, "ours": right / n, "math_verify": said / n, "faults": found["faults"]}
    print(json.dumps(figures | {"fast_share": found["fast_share"]}))


if __name__ == "__main__":
    main()
