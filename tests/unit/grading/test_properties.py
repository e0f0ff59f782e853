"""Properties over generated expressions and over the case files: notation does not matter,
values do, and the paths agree.
"""

import cmath
import json
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from zoo.grading import Item, extract, has_box
from zoo.grading.fast import settle
from zoo.grading.grader import Grader, symbolic_pair
from zoo.grading.pool import Limits, Pool
from zoo.grading.verifier_cases import read_gold

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("ZOO_DATA", ROOT.parent / "shared" / "data"))
FAST = settings(max_examples=300, deadline=None)
WITH_WORKER = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def expressions(draw, depth=3):
    """A formula in x and y as two texts: LaTeX as a textbook sets it, and as a programmer
    types it.
    """
    if depth == 0 or draw(st.booleans()):
        atom = draw(st.sampled_from(["x", "y", "\\pi", *map(str, range(1, 10))]))
        return atom, atom.replace("\\pi", "pi")
    kind = draw(st.sampled_from(["+", "-", "*", "/", "^", "sqrt", "sin"]))
    a, plain_a = draw(expressions(depth=depth - 1))
    if kind == "sqrt":
        return f"\\sqrt{{{a}}}", f"sqrt({plain_a})"
    if kind == "sin":
        return f"\\sin\\left({a}\\right)", f"sin({plain_a})"
    if kind == "^":
        power = draw(st.integers(2, 3))
        return f"\\left({a}\\right)^{{{power}}}", f"({plain_a})**{power}"
    b, plain_b = draw(expressions(depth=depth - 1))
    if kind == "/":
        return f"\\frac{{{a}}}{{1+\\left({b}\\right)^2}}", f"({plain_a})/(1+({plain_b})^2)"
    sign = {"*": "\\cdot "}.get(kind, kind)
    return f"\\left({a}\\right){sign}\\left({b}\\right)", f"({plain_a}){kind}({plain_b})"


def has_a_value(plain):
    """Whether a formula of ours is a number of common size, and no division by nothing."""
    names = {"x": 1.7, "y": 0.6, "pi": cmath.pi, "sqrt": cmath.sqrt, "sin": cmath.sin}
    try:
        return abs(eval(plain.replace("^", "**"), {"__builtins__": {}}, names)) < 1e9
    except (ArithmeticError, ValueError):
        return False


def verdict(gold, prediction):
    settled = settle(gold, prediction)
    return settled and settled[0].value


@FAST
@given(expressions())
def test_notation_does_not_matter(pair):
    latex, plain = pair
    assert verdict(latex, plain) == "correct"
    assert verdict(plain, latex) == "correct"


@FAST
@given(expressions(), st.sampled_from([" + 1", " - \\frac{1}{100}", " + x"]))
def test_another_value_is_wrong(pair, change):
    latex, plain = pair
    assume(has_a_value(plain))  # of x/0, one more is no other value
    changed = f"\\left({latex}\\right){change}"
    assert verdict(latex, changed) in ("wrong", None)
    assert verdict(plain, changed) in ("wrong", None)


@FAST
@given(st.fractions(max_denominator=10**6), st.integers(2, 50))
def test_a_fraction_equals_itself_in_every_notation_and_no_neighbour(value, k):
    top, bottom = value.numerator, value.denominator
    sign, size = ("-" if top < 0 else ""), abs(top)
    notations = [
        f"{top}/{bottom}",
        f"{sign}\\frac{{{size}}}{{{bottom}}}",
        f"\\dfrac{{{top * k}}}{{{bottom * k}}}",
        f"x = {sign}\\frac{{{size}}}{{{bottom}}}",
        f"{sign}\\left({size // bottom} + \\frac{{{size % bottom}}}{{{bottom}}}\\right)",
    ]
    for notation in notations:
        assert verdict(f"{top}/{bottom}", notation) == "correct"
    other = value + Fraction(1, bottom * k)
    assert verdict(f"{top}/{bottom}", f"{other.numerator}/{other.denominator}") == "wrong"


@FAST
@given(st.integers(-(10**15), 10**15), st.sampled_from([",", "{,}", "\\,", ",\\!", " "]))
def test_thousands_separators_do_not_matter(number, mark):
    grouped = f"{number:,}".replace(",", mark)
    assert verdict(str(number), grouped) == "correct"
    assert verdict(str(number + 1), grouped) == "wrong"


@FAST
@given(st.text(max_size=300))
def test_any_text_gets_a_verdict_and_extraction_never_fails(text):
    for policy in ("boxed", "simplerl", "gsm8k", "auto"):
        extract(text, policy)
    has_box(text)
    settle("7", text)
    settle(text or "7", text or "7")


@FAST
@given(st.text(alphabet="\\{}()[]|^_$%,.;=<>+-*/ 0123456789xyfracsqtboxed", max_size=120))
def test_any_markup_gets_a_verdict(text):
    settle("\\frac{1}{2}", text)
    settle("(-\\infty, 3]", text)
    settle("x^2 + 1", text)


@pytest.fixture(scope="module")
def pool():
    pool = Pool(1, Limits(cpu_s=1.0, wall_s=5.0))
    yield pool
    pool.close()


@WITH_WORKER
@given(expressions(depth=2).filter(lambda pair: len(pair[0]) > 2), st.sampled_from(["", "1", "x"]))
def test_the_two_paths_agree_on_generated_expressions(pool, pair, change):
    latex, _ = pair
    prediction = f"\\left({latex}\\right) + {change}" if change else f"\\frac{{2({latex})}}{{2}}"
    fast = verdict(latex, prediction)
    (reply,) = pool.judge([symbolic_pair(latex, prediction)])
    if fast in ("correct", "wrong") and "equal" in reply:
        assert reply["equal"] == (fast == "correct")


def test_where_the_paths_differ_on_real_cases_the_label_is_with_the_fast_one(pool):
    path = DATA / "verifier_cases.jsonl"
    if not path.exists():
        pytest.skip(f"no case file at {path}; set ZOO_DATA")
    cases = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    cases = [case for case in cases if case["style"] in ("answer", "raw")]
    contested = ROOT / "tests" / "golden" / "grading_contested.jsonl"
    ids = {json.loads(line)["id"] for line in contested.read_text().splitlines()}
    with Grader("auto") as grader:
        items = [Item(read_gold(case["gold"]), case["prediction"]) for case in cases]
        graded = grader.grade(items)
    both = [
        (case, result)
        for case, result in zip(cases, graded, strict=True)
        if result.by == "fast" and str(case["id"]) not in ids
    ]
    replies = pool.judge([symbolic_pair(r.gold, r.prediction or "") for _, r in both])
    for (case, result), reply in zip(both, replies, strict=True):
        if "equal" in reply and reply["equal"] != result.verdict.correct:
            assert result.verdict.correct == bool(int(case["expected"])), case["id"]
