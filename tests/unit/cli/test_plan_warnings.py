"""Warnings as the command line has them: of the chosen trials, with what lies on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import zoo


def told(*words: str) -> dict[str, Any]:
    """The plan for programs."""
    return json.loads(zoo("plan", "--json", *words).text)


def test_overlap_of_own_files_is_in_the_plan_and_said_when_the_sweep_starts(folder: Path) -> None:
    for name, numbers in (("train", range(9)), ("test", range(6, 16))):
        rows = [json.dumps({"problem": f"What is {n}+1?", "answer": str(n + 1)}) for n in numbers]
        (folder / f"experiments/{name}.jsonl").write_text("\n".join(rows))
    manifest = folder / "experiments/tiny.yaml"
    text = manifest.read_text().replace("data: [pocket-easy]", "data: [{path: train.jsonl}]")
    text = text.replace(
        "benchmarks: [pocket-easy], problems: 4", "benchmarks: [{path: test.jsonl}]"
    )
    manifest.write_text(text.replace("eval/pocket-easy", "eval/test"))
    (row,) = [w for w in told("tiny")["warnings"] if w["id"] == "leak-by-content"]
    assert row["text"].startswith(
        "3 of the 10 problems of test.jsonl are in the training data train.jsonl"
    )
    assert row["where"] == "4 trials"
    line = f"! {row['text']} [4 trials]"
    assert line in zoo("plan", "tiny").prose
    assert line in zoo("sweep", "tiny", "--bare").lines


def test_only_leaves_out_warnings_about_other_trials_and_counts_its_own(folder: Path) -> None:
    manifest = folder / "experiments/tiny.yaml"
    text = manifest.read_text().replace(
        "[correctness, box-strict]", "[correctness, box-strict, random]"
    )
    manifest.write_text(text.replace("grpo.beta: 0.01", "grpo.beta: 0.0"))

    def warned(*only: str) -> set[tuple[str, str]]:
        return {(w["id"], w["where"]) for w in told("tiny", *only)["warnings"]}

    box, idle = ("box-not-asked", "2 trials"), ("idle-override", "override 1, 3 trials")
    claim = ("seeds-cannot-decide", "claim box")
    assert warned() >= {box, idle, claim}
    assert warned("--only", "model=pocket-llama") >= {
        ("box-not-asked", "1 trial"),
        idle,
        claim,
    }
    assert warned("--only", "reward=random", "--only", "model=pocket-qwen2") == set()


def test_what_a_budget_may_break_is_in_the_plan_with_both_figures(folder: Path) -> None:
    manifest = folder / "experiments/tiny.yaml"
    manifest.write_text(manifest.read_text().replace("trainer: simulated\n", ""))
    hours = told("tiny", "--on", "laptop")["cost"]["wall_hours"]
    limit = (hours["mid"] + hours["high"]) / 2
    words = ("--on", "laptop", "--set", f"budget.hours={limit}")
    (found,) = [w for w in told("tiny", *words)["warnings"] if w["where"] == "budget hours"]
    assert found["id"] == "budget-at-risk"
    shares = [f"{100 * hours[end] / limit:.0f} %" for end in ("mid", "high")]
    assert f": {shares[0]} planned, up to {shares[1]}" in zoo("plan", "tiny", *words).text


def test_overlap_of_sets_too_large_for_a_plan_is_known_after_data_check(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zoo.data.resolve.LIGHT_ROWS_BYTES", 10)
    for kind, form in (("data", "data"), ("benchmarks", "benchmark")):
        rows = [json.dumps({"problem": f"What is {n}+1?", "answer": str(n + 1)}) for n in range(5)]
        (folder / f"own-{form}.jsonl").write_text("\n".join(rows))
        (folder / f"cards/{kind}").mkdir(parents=True)
        said = f"schema: {form}/1\nname: own-{form}\nlocal: {{path: {folder}/own-{form}.jsonl}}\n"
        (folder / f"cards/{kind}/own-{form}.yaml").write_text(said)
    manifest = folder / "experiments/tiny.yaml"
    text = manifest.read_text().replace("data: [pocket-easy]", "data: [own-data]")
    text = text.replace("benchmarks: [pocket-easy]", "benchmarks: [own-benchmark]")
    manifest.write_text(text.replace("eval/pocket-easy", "eval/own-benchmark"))

    def leaks() -> list[str]:
        return [w["text"] for w in told("tiny")["warnings"] if w["id"] == "leak-by-content"]

    assert leaks() == []
    assert zoo("data", "check", "own-data", "own-benchmark").status == 0
    assert "4 of the 4 problems of own-benchmark.jsonl are in the training data" in leaks()[0]
