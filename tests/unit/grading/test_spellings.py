"""Right answers in other words and signs, and words that make a right number a wrong answer."""

import pytest

from zoo.grading import Grader, Item
from zoo.grading.fast import settle

SAME = [
    (r"ab-cd", r"-cd+ab"),
    (r"mn-n", r"n(m-1)"),
    (r"n(m-1)", r"mn-n"),
    (r"x(1-y)", r"x - xy"),
    (r"(m-1)(n-1)-1", r"mn-m-n"),
    (r"a-bc", r"a - b c"),
    (r"xy-z", r"x y - z"),
    (r"z+ry=0", r"z = -ry"),
    (r"m \frac{d v}{d t}+b v=f", r"m\frac{dv}{dt} = f - bv"),
    (r"\text{non-negative}", r"\text{nonnegative}"),
    (r"x+1", r"f(x) = (x^2-1)/(x-1) = x+1"),
    (r"x^2+2x+1", r"(x+1)^2 = x^2+2x+1"),
    (r"x \ne 5", r"x \not= 5"),
    (r"C", r"C. x = 42"),
    (r"C", r"C. The number of apples"),
    (r"500000", r"\$500\text{K}"),
    (r"f(x) = x^2", r"y=x^2"),
    (r"f(x) = x^2", r"f(t)=t^2"),
    (r"(-\infty, 1) \cup (2, \infty)", r"x<1 \text{ or } x>2"),
    (r"(-1,2)", r"x > -1 \text{ and } x < 2"),
    (r"[0,5]", r"x \ge 0, x \le 5"),
    (r"(0,9) \cup (9,36)", r"0<x<36, x\ne 9"),
    (r"(1,2)", r"y=2, x=1"),
    (r"(1,2)", r"x=1, y=2"),
    (r"(1,2)", r"(x,y)=(1,2)"),
    (r"\left( \frac{3}{2}, -13 \right)", r"y=-13, x=\frac32"),
    (r"0.5", r"50\%"),
    (r"50", r"50\%"),
    (r"12 \text{ square units}", r"12"),
    (r"12 \text{ square units}", r"12 \text{ units}^2"),
    (r"k_{B}T", r"k_BT"),
    (r"m_{p} c^{2}", r"m_pc^2"),
    (r"a_{n}b", r"a_nb"),
    (r"a_{n}b_n", r"a_nb_n"),
    (r"x_{max}", r"x_max"),
    (r"\{1\pm\sqrt{5},-2\}", r"-2, 1+\sqrt5, 1-\sqrt5"),
    (r"\{1\pm\sqrt{5},-2\}", r"-2, 1 \pm \sqrt{5}"),
    (r"\{1\pm\sqrt{5},-2\}", r"x=-2 \text{ or } x=1\pm\sqrt5"),
    (r"\{-2,1+\sqrt5,1-\sqrt5\}", r"\{-2, 1\pm\sqrt{5}\}"),
    (r"13", r"12.6 \approx 13"),
    (r"33", r"\frac{100}{3} \approx 33.33 \approx 33"),
    (r"12", r"12.3 \approx 12"),
    (r"\frac{270}7\text{ degrees}", r"38\frac{4}{7}^\circ"),
    (r"22.5^\circ", r"22\frac12^\circ"),
    (r"\log_{10} 5", r"\log 5"),
    (r"\log_{10} 5", r"1-\log 2"),
    (r"2,-\log _{10} 250", r"2 \text{ and } -\log 250"),
    (r"20", r"\text{\$20}"),
    (r"\$18.90", r"\text{\$18.90}"),
    (r"20", r"\text{20 per week}"),
    (r"20", r"20 \text{ more minutes}"),
    (r"20", r"20 \text{ times per week}"),
    (r"52_8", r"52 \text{ (base 8)}"),
    (r"52_8", r"52\text{ in base 8}"),
    (r"52_8", r"52_{\text{base } 8}"),
    (r"120^\circ", r"\frac{2\pi}{3}\text{ radians}"),
    (r"-8-8\sqrt3 i", r"16e^{i4\pi/3}"),
    (r"f(x)=x+1", r"f(n)=n+1"),
    (r"5", r"5 \text{ apples}"),
    (r"27,54,108,135,189,216,270,297,351,378", r"27, 54, 108, 135, 189, 216, 270, 297, 351, 378"),
    (r"1,10,100", r"1, 10, 100"),
    (r"5, 10, 100", r"5,10,100"),
    (r"20, 100", r"20,100"),
    (r"10, 100, 1000", r"10,100,1000"),
    (r"1234567", r"1,234,567"),
    (r"1,234,567", r"1234567"),
    (r"5, -2", r"x=5 \quad x=-2"),
    (r"5, -2", r"x=5 \\ x=-2"),
    (r"(-2,1)", r"x=-2 \quad y=1"),
    (r"12", r"12 apples per day"),
    (r"12", r"12 years old"),
    (r"12", r"12 hours a day"),
    (r"12", r"12 dollars in all"),
    (r"3xyz", r"3xzy"),
    (r"12", r"\text{The remainder is } 12"),
    (r"12", r"\text{Remainder: }12"),
    (r"12", r"\text{The maximum is } 12"),
    (r"[-2,7]", r"x \in [-2,7]"),
    (r"[-2,7]", r"\{x\in\mathbb{R} \mid -2\le x\le 7\}"),
    (r"[-2,7]", r"\{x \mid -2\le x\le 7\}"),
    (r"(1,2)", r"x>1, x<2"),
    (r"x<3", r"3>x"),
    (r"2x+3y=6", r"4x+6y=12"),
    (r"\lfloor n/2\rfloor", r"\left\lfloor\frac{n}{2}\right\rfloor"),
    (r"AB=12", r"AB=12"),
    (r"30^\circ", r"\frac{\pi}{6}"),
    (r"5", r"5 \text{ units}"),
    (r"A = 25\pi", r"A = \pi r^2 = 25\pi"),
    (r"7", r"\text{Total} = 3 + 4 = 7"),
]

TOLD = [
    (r"5", r"First we get \boxed{7}. Then the total is \boxed{5}.", True),
    (r"7", r"#### three, four", False),
    (r"7", r"#### three - four", False),
    (r"25", r"#### five twenty", False),
    (r"800", r"#### seven one hundred", False),
    (r"25", r"#### twenty-five", True),
    (r"125", r"#### one hundred and twenty-five", True),
    (r"125", r"#### one hundred twenty five", True),
    (r"2500", r"#### two thousand five hundred", True),
    (r"1100", r"#### eleven hundred", True),
    (r"5", r"#### 5 \text{ halves}", False),
    (r"5", r"#### 5 thirds", False),
    (r"5", r"#### 5 tenths", False),
    (r"5", r"#### 5 hundredths", False),
    (r"5", r"#### 5 tens", False),
    (r"5", r"#### 5 gross", False),
    (r"5", r"#### 5 lakh", False),
    (r"5", r"#### 5 crore", False),
    (r"5", r"#### 5 grand", False),
    (r"5", r"#### 5 permille", False),
    (r"5", r"#### 5 impossible", False),
    (r"5", r"#### 5 invalid", False),
    (r"5", r"#### 5 (rejected)", False),
    (r"5", r"#### 5 (unlikely)", False),
    (r"5", r"#### 5 unsure", False),
    (r"5", r"#### 5 guess", False),
    (r"5", r"#### 5 hopefully", False),
    (r"5", r"#### 5 excluded", False),
    (r"5", r"#### 5 omitted", False),
    (r"5", r"#### 5 maximum", False),
    (r"5", r"#### 5 upper bound", False),
    (r"5", r"#### 5 onwards", False),
    (r"5", r"#### 5 otherwise", False),
    (r"5", r"The answer is the square root of 5.", False),
    (r"5", r"The answer is unknown to me, but less than 5", False),
    (r"20", r"The answer is 20 more.", True),
    (r"5", r"#### 5 times", True),
    (r"1,-2", r"The answers are $1$ and $-2$.", True),
    (r"5,-2", r"The solutions are $x=5$ and $x=-2$.", True),
    (r"5,-2", r"So the roots are 5 and -2.", True),
    (r"2", r"The solutions are $x=1$ and $x=2$.", False),
    (r"12", r"So, the area is 12 cm^2.", True),
    (r"2", r"So, the area is 12 cm^2.", False),
    (r"12", r"The area is $12$ cm$^2$.", True),
    (r"(-2,1)", r"So the vertex is (-2, 1).", True),
    (r"[1,2]", r"So the range is [1, 2].", True),
    (r"25\pi", r"The area is 25π.", True),
    (r"25", r"The area is 25π.", False),
    (r"2\sqrt{3}", r"So the length is 2√3.", True),
    (r"12", r"Sam has 12 dozen eggs.", False),
    (r"12", r"Sam has 12 million dollars.", False),
    (r"12", r"Sam has 12 eggs.", True),
    (r"\pi", r"**Final Answer**: $\pi$", True),
    (r"12", r"#### 12 students on each bus", True),
    (r"12", r"The answer is 12 years old.", True),
    (r"5", r"\boxed{4} apples. If she buys one more, the total is \boxed{5}.", True),
    (r"5", r"The answer is any number except 5.", False),
    (r"5", r"The answer is the opposite of 5.", False),
    (r"5", r"The answer is ten divided by 5.", False),
    (r"5", r"The answer is the 5th prime.", False),
]


@pytest.mark.parametrize(("gold", "prediction"), SAME)
def test_the_same_answer_in_another_spelling(gold, prediction):
    settled = settle(gold, prediction)
    assert settled is not None
    assert settled[0].correct


@pytest.mark.parametrize(("gold", "text", "correct"), TOLD)
def test_words_around_a_number_count(gold, text, correct):
    with Grader("auto") as grader:
        (result,) = grader.grade([Item(gold, text)])
    assert result.verdict.correct is correct, result


def test_many_bounded_values_add_up_to_a_bounded_one():
    """Sums and products stop as soon as they are too big."""
    terms = "+".join(f"1/\\binom{{{39000 + 7 * i}}}{{{19000 + i}}}" for i in range(80))
    powers = "".join(f"{p}^{{2800}}" + "\\cdot " for p in range(3, 60))
    for text in (terms, f"x+1+0*({terms[:800]}1)", powers + "1", r"(1,2)\cup " * 100 + "(3,4)"):
        with Grader("auto") as grader:
            (result,) = grader.grade([Item("5", f"\\boxed{{{text}}}")])
        assert not result.verdict.correct
        assert result.by in ("structure", "refused", "fast")
