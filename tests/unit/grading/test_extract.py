import pytest

from zoo.errors import InputError
from zoo.grading import extract, has_box


@pytest.mark.parametrize(
    ("text", "policy", "answer"),
    [
        (r"so \boxed{7}.", "boxed", "7"),
        (r"\boxed{1} then, after more thought about it, \boxed{2}", "boxed", "2"),
        (r"\boxed{\frac{1}{2}}", "boxed", r"\frac{1}{2}"),
        (r"\fbox{7}", "boxed", "7"),
        (r"\boxed{\left\{1,2\right\}}", "boxed", r"\left\{1,2\right\}"),
        (r"\boxed{1} and \boxed{2}", "boxed", "1, 2"),
        (r"\boxed{7} or \boxed{7}", "boxed", "7"),
        (r"\boxed{7", "boxed", None),
        (r"\boxed{3} and then \boxed{7", "boxed", "3"),
        (r"\boxed{7 and \boxed{8}", "boxed", "8"),
        ("the answer is 7", "boxed", None),
        ("The answer is 7. Bye 9", "simplerl", "7"),
        (r"The final answer is $\frac12$. I hope it is correct.", "simplerl", r"$\frac12$"),
        ("first 3 then 4,000 eggs", "simplerl", "4,000"),
        ("", "simplerl", None),
        ("no numbers here", "simplerl", None),
        ("work\n#### 72\n", "gsm8k", "72"),
        ("work 72", "gsm8k", None),
        ("work\n#### 72", "auto", "72"),
        ("5 * 8 = <<5*8=40>>40\nA: 40", "auto", "40"),
        (r"x^2 + 1", "auto", "x^2 + 1"),
        (r"7<|im_end|>\boxed{8}", "auto", "7"),
    ],
)
def test_each_policy_finds_its_answer(text, policy, answer):
    assert extract(text, policy) == answer


def test_an_unknown_policy_is_an_input_error_that_suggests_the_nearest():
    with pytest.raises(InputError, match="did you mean 'boxed'"):
        extract("7", "boxd")


def test_only_a_complete_box_is_a_box():
    assert has_box(r"\boxed{7}")
    assert has_box(r"\fbox{\text{a}}")
    assert not has_box(r"\boxed{7")
    assert not has_box(r"boxed{7}")


def test_a_brace_bomb_is_read_in_linear_time():
    assert extract("\\boxed{" * 30_000 + "7", "boxed") is None
    assert extract("\\boxed{" * 30_000 + "7" + "}" * 30_000, "boxed") is not None
