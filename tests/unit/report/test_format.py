import pytest

from zoo.report.format import interval, length, percent, points, wilson


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilsons_interval_agrees_with_published_values(right, n, low, high):
    # Newcombe 1998, Statistics in Medicine 17, table I (81/263), and the closed form for 0 and n
    assert wilson(right / n, n) == pytest.approx((low, high), abs=5e-5)


def test_no_problems_give_the_whole_range():
    assert wilson(0.0, 0) == (0.0, 1.0)


def test_numbers_read_well():
    assert percent(0.195) == "19.5"
    assert points(0.61) == "+61.0"
    assert points(-0.02) == "\N{MINUS SIGN}2.0"
    assert percent(None) == points(None) == length(None) == interval(None, 3) == "\N{EN DASH}"
    assert length(1234.5) == "1,234"
    assert interval(0.5, 10) == "23.7 to 76.3"
