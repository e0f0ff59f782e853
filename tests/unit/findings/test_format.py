from zoo.findings.format import interval, length, percent, points


def test_numbers_read_well():
    assert percent(0.195) == "19.5"
    assert points(0.61) == "+61.0"
    assert points(-0.02) == "\N{MINUS SIGN}2.0"
    assert percent(None) == points(None) == length(None) == interval(None, 3) == "\N{EN DASH}"
    assert length(1234.5) == "1,234"
    assert interval(0.5, 10) == "23.7 to 76.3"
