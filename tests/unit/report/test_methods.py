"""How each number was made: what stock math-verify said, over a whole sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.made_up_sweep import make_sweep, write_trial
from zoo.findings.collect import collect, rows
from zoo.report.methods import evaluation_rows, number_rows, provenance, seed_notes
from zoo.report.page import html


def two_arms(folder: Path) -> Any:
    """Two rewards of one model, measured at 0 and 2; the base is measured once for both."""
    sweep = make_sweep(
        folder,
        models=("pocket-llama",),
        rewards=("correctness", "box-strict"),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        rounds=2,
        problems=8,
    )
    for trial in sweep.trials:
        write_trial(sweep, trial)
    return sweep


def forget(sweep: Any) -> None:
    """Leave of each index what was written before there were audits and box-only accuracies."""
    for path in sweep.store.root.glob("train/*/evals.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            del line["audited"]
            new = ("acc_boxed", "audit_disagreement")
            line["values"] = {k: v for k, v in line["values"].items() if k not in new}
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_an_audit_is_pooled_over_a_sweep_with_its_n_and_a_shared_base_counts_once(
    tmp_path: Path,
) -> None:
    sweep = two_arms(tmp_path)
    results = collect(sweep.experiment, sweep.trials, sweep.store)
    ids: dict[str, list[str]] = {}
    for m in (m for found in results.outcomes for m in found.measured if m.n == 8):
        ids.setdefault(m.decoding, []).append(m.score_id)  # not those of the watch, of 100
    for row in evaluation_rows(results):  # of four answers one differs in each score
        scores = len(set(ids[row[1]]))
        assert scores < len(ids[row[1]])
        assert row[7] == f"{scores} of {4 * scores} (25.0 %)"
    for row in rows(results):
        if "audit_disagreement" in str(row[-4]):
            assert row[-3:-1] == [0.25, 4]


def test_accuracy_in_a_box_stands_beside_the_lenient_one(tmp_path: Path) -> None:
    sweep = two_arms(tmp_path)
    results = collect(sweep.experiment, sweep.trials, sweep.store)
    before = results.contrast(results.outcomes[0], results.headline[0]).before
    assert before is not None
    assert before.values["acc_boxed"] <= before.values["acc"]
    shown = f"{100 * before.values['acc_boxed']:.1f}"
    assert any(row[9] == shown for row in number_rows(results))
    assert f"in a box {shown} →" in html(results)


def test_scores_from_before_there_were_audits_are_shown_without_them(tmp_path: Path) -> None:
    sweep = two_arms(tmp_path)
    forget(sweep)
    results = collect(sweep.experiment, sweep.trials, sweep.store)
    assert all(row[7] == "–" for row in evaluation_rows(results))
    assert "in a box –" not in html(results)


def test_final_numbers_under_different_seed_rules_have_a_footnote(tmp_path: Path) -> None:
    sweep = two_arms(tmp_path)
    results = collect(sweep.experiment, sweep.trials, sweep.store)
    assert seed_notes(results) == []
    path = sweep.store.train(sweep.trials[0].id) / "evals.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]

    def rule(changed: set[tuple[int, str]]) -> list[str]:
        new = [
            line | ({"seed_rule": "2"} if (line["round"], line["decoding"]) in changed else {})
            for line in lines
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in new))
        return seed_notes(collect(sweep.experiment, sweep.trials, sweep.store))

    assert rule({(0, "t1.0"), (0, "t0")}) == []  # the base model is the same under all rules
    (note,) = rule({(2, "t1.0")})
    assert note.startswith(
        "Final numbers sampled under different seed rules (trials by rule: first: 1, 2: 1): "
        "pocket-easy t1.0. "
    )
    assert note in html(collect(sweep.experiment, sweep.trials, sweep.store))


def test_one_trials_mean_over_two_seed_rules_has_a_footnote(tmp_path: Path) -> None:
    sweep = make_sweep(
        tmp_path,
        models=("pocket-llama",),
        rewards=("correctness",),
        data=("pocket-easy",),
        benchmarks=("pocket-easy",),
        rounds=10,
        problems=100,
        extra="final: mean-last-2\n",
    ).run()
    path = sweep.store.train(sweep.trials[0].id) / "evals.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    new = [line | ({"seed_rule": "2"} if line["round"] == 10 else {}) for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in new))
    (note,) = seed_notes(collect(sweep.experiment, sweep.trials, sweep.store))
    assert "pocket-easy t1.0. " in note


def test_the_host_that_older_records_have_is_not_in_the_report(tmp_path: Path) -> None:
    sweep = two_arms(tmp_path)
    for path in sweep.store.root.glob("train/*/record.json"):
        record = json.loads(path.read_text())
        record["about"]["provenance"]["host"] = "node-17.example"
        path.write_text(json.dumps(record))
    results = collect(sweep.experiment, sweep.trials, sweep.store)
    assert provenance(results) == [f"torch 2.13.0+cpu, commit {'0' * 40}"]
    assert "node-17" not in html(results)
