"""What a batch logs about its grading: numbers counted by hand."""

from __future__ import annotations

from zoo.grading import Result, Verdict
from zoo.rewards.stats import batch_stats, response_stats

R, W, N, G = Verdict.CORRECT, Verdict.WRONG, Verdict.NO_ANSWER, Verdict.BAD_GOLD


def group(*verdicts: Verdict) -> list[Result]:
    return [Result(verdict, "1", None, True, "text", 1.0) for verdict in verdicts]


def test_stats_by_level_count_accuracy_over_scored_and_mixed_groups() -> None:
    groups = [group(R, W), group(R, R), group(W, N), group(G, R), group(R, W)]
    rewards = [[None if r.verdict is G else 1.0 for r in found] for found in groups]
    found = batch_stats(groups, rewards, ["1", "1", "2", "2", None])
    assert found["grade/acc/level1"] == 3 / 4
    assert found["grade/groups/mixed/level1"] == 1 / 2
    assert found["grade/acc/level2"] == 1 / 3
    assert found["grade/groups/mixed/level2"] == 0.0
    assert found["grade/groups/mixed"] == 2 / 5
    assert not any(name.endswith("None") for name in found)


def test_response_stats_have_lengths_of_scored_and_shares_of_endings() -> None:
    found = response_stats(
        [R, W, R, G, N, W],
        [10, 20, 30, 1000, 64, 6],
        ["end_token", "stop_token", "end_token", "end_token", "length", "stop_token"],
    )
    assert found == {
        "completions/mean_right_length": 20.0,
        "completions/mean_wrong_length": 30.0,
        "completions/frac_end_token": 1 / 2,
        "completions/frac_stop_token": 1 / 3,
    }


def test_response_stats_without_a_right_response_have_no_length_of_it() -> None:
    found = response_stats([W, G], [4, 8], ["length", "length"])
    assert found["completions/mean_wrong_length"] == 4.0
    assert "completions/mean_right_length" not in found
    assert found["completions/frac_end_token"] == found["completions/frac_stop_token"] == 0.0
