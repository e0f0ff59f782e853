from zoo.grading import Grader, Item
from zoo.grading.audit import audit, check_golds, stock


def test_references_that_do_not_accept_themselves_are_reported_by_id():
    golds = {"a": "7", "b": "", "c": r"\frac12", "d": "9" * 9_000, "e": "   "}
    assert list(check_golds(golds)) == ["b", "d", "e"]


def test_a_worked_solution_is_no_reference_although_its_text_equals_itself():
    golds = {
        "gsm8k": "There are 12/3=4 boxes, and each of them has one.\n#### 4",
        "short": r"$3x=12$, so $x=\boxed{4}$",
        "math": r"We add both sides of the two equations and get $\boxed{4}$.",
        "boxed": r"\boxed{4}",
        "cut": r"\frac{1}{2",
        "stopped": "5</s>",
        "question": "What is the largest integer that divides both numbers?",
        "words": r"\text{Monday and Friday}",
        "several": r"(0,1,1),\left(\frac{1}{\sqrt{3}},-2\right)",
    }
    bad = check_golds(golds)
    assert set(bad) == {"gsm8k", "short", "math", "cut", "stopped", "question"}
    assert bad["short"] == "a worked solution: it does not accept its own answer, 4"
    assert bad["math"] == bad["question"] == "prose, not one answer"
    assert bad["cut"].startswith("cut off")


def test_the_audit_samples_by_seed_and_names_each_disagreement():
    items = [Item("7", f"\\boxed{{{n % 9}}}") for n in range(100)] + [Item("7", "\\boxed{5=7}")]
    with Grader("boxed") as grader:
        results = grader.grade(items).results
    pool = stock()
    found = audit(results, 1, pool, share=1.0)
    assert found.sampled == 101
    assert [d.result.prediction for d in found.disagreements] == ["5=7"]
    assert found.rate == 1 / 101
    few = audit(results, 3, pool, share=0.02)
    assert few.sampled == few.decided == 2
    assert audit([], 0, pool).rate is None
    pool.close()
