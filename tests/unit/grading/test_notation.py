"""Classes of notation that models use: each is read, and its near neighbours stay wrong."""

# ruff: noqa: RUF001 - look-alike characters are among them

import pytest

from zoo.grading import Grader, Item
from zoo.grading.fast import settle


def verdict(gold, prediction):
    settled = settle(gold, prediction)
    return settled and settled[0].value


def tells_apart(gold, same, other):
    """The one answer is right and its neighbour is wrong."""
    assert verdict(gold, same) == "correct"
    assert verdict(gold, other) == "wrong"


@pytest.mark.parametrize(
    "unit",
    [
        r"\text{ m}",
        " m",
        r"\,\mathrm{m\,s^{-2}}",
        r" \text{ m/s}^2",
        r" \frac{\text{m}}{\text{s}^2}",
        r" \text{ kg}\cdot\text{m/s}^2",
        r"\,\text{erg s}^{-1}",
        r" \Omega",
        r" \mu m",
        r" \mu\text{m}",
        " eV",
        r"^\circ \text{C}",
        "°C",
        r" M_{\odot}",
        r" \text{ meters per second squared}",
        " Å",
        "厘米",
        r"\text{ 个}",
    ],
)
def test_a_unit_may_follow_a_number_however_it_is_set(unit):
    assert verdict("9.6", "9.6" + unit) == "correct"
    assert verdict(r"1.4 \times 10^{-3}", r"1.4 \times 10^{-3}" + unit) == "correct"
    assert verdict("9.6", "9.7" + unit) == "wrong"


def test_one_measure_has_many_spellings_and_another_measure_is_another_answer():
    gold = r"5\text{ m/s}"
    for same in (r"5\ \mathrm{m\,s^{-1}}", r"5\ \frac{\mathrm{m}}{\mathrm{s}}", "5 m/s",
                 r"5\text{ meters per second}"):  # fmt: skip
        assert verdict(gold, same) == "correct"
    for other in (
        r"5\text{ s}",
        r"5\text{ m}",
        "5 m",
        r"5\text{ km/h}",
        r"5\text{ m/s}^2",
        r"5\text{ seconds}",
    ):
        assert verdict(gold, other) == "wrong"
    assert verdict(r"144\text{ m}^3", r"144\text{ m}^2") == "wrong"


def test_letters_glued_to_a_number_are_variables():
    assert verdict("5", "5m") == "wrong"
    assert verdict("5m", "5 m") == "correct"
    assert verdict("2x", "2 m") == "wrong"
    assert verdict("5 m", "5") == "wrong"


@pytest.mark.parametrize(
    ("gold", "same", "other"),
    [
        (r"\frac{GMm}{R^2}", r"\frac{G M m}{R^{2}}", r"\frac{G M m}{r^{2}}"),
        ("3x^2y", "3yx^2", "3(yx)^2"),
        (r"\frac{\sqrt{2}v^2_0}{g}", r"\frac{\sqrt{2} v_0^2}{g}", r"\frac{\sqrt{2} v_0}{g}"),
        (r"I(0) e^{-\frac{t}{R C}}", "I(0) e^{-t/RC}", "I(0) e^{t/RC}"),
        (r"c_1 e^{2t}", "C_1 e^{2t}", "k_1 e^{3t}"),
        (r"6.6e-34 \sin\nu", r"6.6 \times 10^{-34} \sin\nu", r"6.7e-34 \sin\nu"),
        ("2x+4y-3=0", "4x+8y-6=0", "2x+4y-333333333333333=0"),
        ("AB=5", "BA=5", "CD=5"),
    ],
)
def test_letters_run_together_are_a_product(gold, same, other):
    tells_apart(gold, same, other)


@pytest.mark.parametrize(
    ("gold", "same", "other"),
    [
        ("20:34", "20:34:00", "20:34:01"),
        ("20:34", r"8:34 \text{ P.M.}", "8:34 a.m."),
        (r"\text{7:30 a.m.}", "07:30", "19:30"),
        (r"\text{10:00 a.m.}", "10 am", "10 pm"),
        ("7:30", "7:30 PM", "7:31 PM"),
        ("1:2", "2:4", "2:1"),
    ],
)
def test_a_time_of_day_is_a_minute_and_a_ratio_is_a_quotient(gold, same, other):
    tells_apart(gold, same, other)


@pytest.mark.parametrize(
    ("gold", "same", "other"),
    [
        ("152A_{11}", "152A_{11}", "152B_{11}"),
        ("152A_{11}", "152A", "152"),
        (r"\text{A5}_{11}", "A5_{11}", "A6_{11}"),
        ("101_2", "(101)_2", "(101)_3"),
        ("101_2", "101_{(2)}", "5"),
    ],
)
def test_digits_of_a_base_may_be_letters(gold, same, other):
    tells_apart(gold, same, other)


@pytest.mark.parametrize(
    ("gold", "prediction"),
    [
        (r"\frac{1}{2}", r"{1 \over 2}"),
        ("10", r"{5 \choose 2}"),
        ("5", r"{\bf 5}"),
        ("5", r"\large 5"),
        (r"3 \times 10^{-8}", "3 x 10^{-8}"),
        (r"3 \times 10^{-8}", "3 × 10⁻⁸"),
        ("1.4e-3", r"1.4\mathrm{e}-3"),
        ("5", "５"),
        ("x_1+1", "x₁＋1"),
        ("-90", r"-90^\circ"),
        ("-5", r"\text{-}5"),
        (r"\sqrt{2}", r"\sqrt{2} (\approx 1.414)"),
        (r"\sqrt{2}", r"\sqrt{2} \text{ (approximately 1.41)}"),
        ("3:2", r"3 \text{ to } 2"),
        ("C", r"\text{Option C}"),
        (r"\text{ellipse}", r"\text{an ellipse}"),
        (r"\emptyset", r"\text{There are no solutions}"),
        ("5", r"\text{The answer is } 5"),
        (r"\text{A, B}", r"\text{A,\, B}"),
        (r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", "[[1,2],[3,4]]"),
        ("0.56", r"0.56 = 56\%"),
    ],
)
def test_what_typesets_alike_reads_alike(gold, prediction):
    assert verdict(gold, prediction) == "correct"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"<think>maybe \boxed{4}</think> The answer is 5.", "5"),
        (r"<think>so \boxed{4}</think>", "4"),
        ("ANSWER: (15,-29)", "(15,-29)"),
        (r"That is \boxed{5}; see also \boxed{}", "5"),
        (r"value is \boxed{\frac{1}{3}} \approx \boxed{0.333}", r"\frac{1}{3}"),
        (r"\boxed{3} apples and \boxed{4} pears", "3, 4"),
        (r"$x=\boxed{1}$ and $y=\boxed{1}$", "(1,1)"),
        (r"first \boxed{1}, then \boxed{2}", "2"),
        (r"so $S = 355\boxed{680}$", "680"),
        (r"There are $13+15$ or $\boxed{28}$ of them", "28"),
        (r"$\boxed{75\%}$ is not filler", "75"),
        (r"so $x = -\boxed{5}$", "-5"),
        (r"$x=\boxed{1}$ and so $x=\boxed{1}$", "1"),
        (r"so $\boxed{185\}$", "185"),
        ("<think>The answer is 4</think><answer>5</answer>", "5"),
        ("答案是5。", "5"),
        ("所以答案：5", "5"),
        (r"so $\boxed 5$", "5"),
        (r"The probability is \frac{1}{2}.", r"\frac{1}{2}"),
        ("The correct option is C.", "C"),
        ("So we get x=−5 in all.", "−5"),
        ("Therefore, x = 5.", "x = 5"),
    ],
)
def test_an_answer_is_found_in_tags_in_chinese_and_without_delimiters(text, answer):
    with Grader("auto") as grader:
        (result,) = grader.grade([Item(answer, text)])
    assert result.verdict.correct, result


def test_a_series_is_settled_without_symbols_only_where_it_is_the_same_series():
    gold = r"F_n = \sum_{k=0}^{n-1} F_k F_{n-k-1}"
    assert verdict(gold, r"F_n = \sum_{k=0}^{n-1} F_{n-k-1} F_k") == "correct"
    assert verdict(gold, r"F_n = \sum_{k=0}^{n-2} F_k F_{n-k-2}") is None
    assert verdict(r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}") is None


def test_a_reference_that_is_a_true_equation_accepts_its_other_spellings():
    assert verdict(r"7^{\log _{7}(3)}=3", r"7^{\log_7 3} = 3") == "correct"
    assert verdict(r"(-2a)^{3}=-8a^{3}", r"\left(-2a\right)^3 = -8a^3") == "correct"
    assert verdict(r"(-2a)^{3}=-8a^{3}", r"(-2a)^3 = 8a^3") == "wrong"
    assert verdict(r"1/\sqrt{3} \approx 58\%", r"1/\sqrt3 \approx 58\%") == "correct"
    assert verdict("3", r"\frac{1}{2} = 50\%") == "wrong"


@pytest.mark.parametrize(
    ("gold", "same", "other"),
    [
        ("C", "C. x = 42", "D. x = C"),
        ("C", "(C) 42", "(C) or (D)"),
        ("C", "C)", "C. D"),
        ("C", r"\textbf{(C)}\ 42", r"\textbf{(D)}\ 42"),
        ("C. x = 42", "C", "D"),
        ("42", r"\text{(C) } 42", r"\text{(C) } 41"),
        ("42", "(C) 42", "(B) 41 (C) 42"),
        ("(2,3)", "A: (2,3)", "A: (3,2)"),
        ("2C", "(C) 2", "(C) 3"),
    ],
)
def test_an_option_may_come_with_its_letter_or_its_text(gold, same, other):
    tells_apart(gold, same, other)


@pytest.mark.parametrize(
    ("gold", "same", "other"),
    [
        ("-40/9", "-4 4/9", "4 4/9"),
        ("40/900", r"4 4/9\%", r"5 4/9\%"),
        ("103/9", "11 4/9", "11.0 4/9"),
        ("56017895760", r"56,\!01,\!78,\!95,\!760", r"56,\!01,\!78,\!95,\!761"),
        ("1,2,3", "3, 2, 1", "1, 2, 3, ..."),
        (r"1,2,3,\ldots", "1, 2, 3, ...", "1, 2, 3"),
        (r"${1,3} \cup {2,4}$", "${1,2,3,4}$", "${1,2,3}$"),
        ("73", "=73", "73="),
        ("440", r"440\text{ cm}", r"\text{ cm}440"),
        ("5", "USD 5", "USD 6"),
        ("5", "Rs. 5", "Rs. .5"),
        ("(2,3)", "P(2,3)", "P(3,2)"),
        (r"3\mathbf{i}-4\mathbf{j}", r"3\hat{i}-4\hat{\mathbf{j}}", r"4\hat{i}-3\hat{j}"),
        ("June 20", r"\text{June 20th}", "June 21st"),
        ("20", r"20^{\text{th}}", r"20^{2}"),
        (r"2 \operatorname{cis} 30^\circ", r"\sqrt{3} + i", r"\sqrt{3} - i"),
        (r"180 - 2\alpha", r"180^\circ - 2\alpha", r"90^\circ - 2\alpha"),
        ("0.32", r"32\mathrm{\%}", r"33\mathrm{\%}"),
        ("1/2", "0,5", "0,6"),
        (r"\sqrt{2} - 1", "\\sqrt{2}\u2003-\u20031", "\\sqrt{2}\u2003+\u20031"),
        ("120", "_120°_", "_121°_"),
        ("x+1", r"\begin{align*}x+1\end{align*}", r"\begin{align*}x-1\end{align*}"),
        ("8", "8개", "9개"),
        (r"[-5,1]\cup[3,9]", r"$-5\lex\le1$ or $3\lex\le9$", r"$-5\lex\le1$"),
        ("1,234", "(1,234)", "(1,235)"),
        ("185\\", "185", "186"),
    ],
)
def test_rarer_spellings_are_read_and_their_neighbours_stay_wrong(gold, same, other):
    tells_apart(gold, same, other)


def test_what_was_only_thought_is_no_answer_where_something_else_follows():
    with Grader("auto") as grader:
        (result,) = grader.grade([Item("4", r"<think>so \boxed{4}</think> Something else.")])
    assert not result.verdict.correct
