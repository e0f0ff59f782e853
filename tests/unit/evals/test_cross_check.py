"""The box alone, and stock math-verify: opinions beside the accuracy that change no verdict."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.trials import manifest, trials_of
from zoo.data import Problem
from zoo.evals.aggregate import measures
from zoo.evals.cross_check import Auditor, audit_values, box_verdicts
from zoo.evals.stages import Evaluator, Generation
from zoo.grading import Grader, Item, Result, Verdict
from zoo.manifest.schema import Decoding
from zoo.store import record
from zoo.store.run_store import Store

CORRECT, WRONG, NO_ANSWER = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER


def both(policy: str, *pairs: tuple[str, str]) -> tuple[list[Verdict], list[Verdict]]:
    """Verdicts under a policy, and where only a box counts."""
    items = [Item(gold, text) for gold, text in pairs]
    with Grader(policy) as grader, Grader("boxed") as boxed:
        results = grader.grade(items).results
        return [r.verdict for r in results], box_verdicts(items, results, lambda: boxed)


def test_where_the_policy_looks_elsewhere_the_box_is_graded_by_itself() -> None:
    lenient, boxed = both(
        "gsm8k",
        ("8", r"\boxed{7} #### 8"),
        ("8", r"\boxed{8} #### 7"),
        ("8", "#### 8"),
        ("8", r"so \boxed{8}"),
        ("", r"\boxed{8} #### 7"),
    )
    assert lenient == [CORRECT, WRONG, CORRECT, NO_ANSWER, Verdict.BAD_GOLD]
    assert boxed == [WRONG, CORRECT, NO_ANSWER, CORRECT, Verdict.BAD_GOLD]


def test_a_policy_that_reads_the_last_box_first_gives_correct_and_boxed() -> None:
    def asked() -> Grader:
        raise AssertionError("nothing differs, so nothing is graded twice")

    items = [Item("8", text) for text in (r"\boxed{8}", r"\boxed{9}", "The answer is 8.", "")]
    with Grader("simplerl") as grader:
        results = grader.grade(items).results
    assert box_verdicts(items, results, asked) == [CORRECT, WRONG, NO_ANSWER, NO_ANSWER]


def test_both_accuracies_are_over_the_same_responses() -> None:
    lenient = [CORRECT, WRONG, Verdict.BAD_GOLD, CORRECT]
    boxed = [NO_ANSWER, WRONG, NO_ANSWER, CORRECT]
    found = measures(lenient, [False, True, False, True], [1] * 4, ["stop"] * 4, boxed)
    assert found["acc"] == 2 / 3
    assert found["acc_boxed"] == 1 / 3


def graded(*pairs: tuple[str, str]) -> list[Result]:
    with Grader("boxed") as grader:
        return grader.grade([Item(gold, text) for gold, text in pairs]).results


def test_one_worker_serves_all_audits_and_none_starts_without_a_question() -> None:
    auditor = Auditor()
    assert auditor([], 0) is not None
    assert auditor(graded(("8", "no answer")), 0) is not None
    assert not auditor._pool._workers
    for text in (r"\boxed{8}", r"\boxed{9}"):
        found = auditor(graded(("8", text)), 0)
        assert audit_values(found) == {
            "audit_disagreement": 0.0,
            "audited": 1.0,
            "audit_disagreements": 0.0,
        }
        (worker,) = auditor._pool._workers
        assert worker.process.poll() is None
    auditor.close()
    assert worker.process.poll() is not None


def test_an_audit_that_cannot_run_is_a_note_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = graded(("8", r"\boxed{8}"))
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    found = Auditor()(results, 0)
    assert found is None
    assert "no audit" in capsys.readouterr().err
    assert audit_values(found)["audit_disagreement"] is None


def test_a_real_evaluation_is_audited_and_its_disagreements_can_be_looked_at(
    tmp_path: Path,
) -> None:
    """Stock math-verify accepts a chain of equations that ends in the reference; we do not."""

    def sampler(
        prompts: list[str], problems: list[Problem], decoding: Decoding, cap: int, seed: int
    ) -> list[Generation]:
        return [Generation(rf"\boxed{{0.5={p.answer}}}", [1, 2], "stop") for p in problems]

    (trial,) = trials_of(manifest(tmp_path))
    bench = Evaluator(Store(tmp_path / "runs"), trial, {}, durable=False)
    try:
        found = bench.measure(trial.evaluations[0], 0, lambda: sampler)
        again = bench.measure(trial.evaluations[0], 0, lambda: sampler)
    finally:
        bench.close()
    assert found == again
    assert found.audited == 1  # 2 % of 16, and at least one
    assert found.values["audit_disagreement"] == 1.0
    assert found.values["acc"] == found.values["acc_boxed"] == 0.0
    folder = bench.store.folder("scores", found.scores)
    (told,) = json.loads((folder / "audit.json").read_text())["disagreements"]
    assert told["prediction"] == f"0.5={told['gold']}"
    assert (told["ours"], told["stock"]) == ("wrong", "correct")
    kept = record.read(folder)
    assert kept is not None
    assert (kept.metrics["audited"], kept.metrics["audit_disagreements"]) == (1, 1)
