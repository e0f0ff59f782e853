"""Claims that do not fit their manifest are found at the word that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.claims import ACC, FULL_GRID, claim, grid, metrics
from zoo.claims.checks import Flaw, check_claims, check_tripwires
from zoo.manifest.claim_schema import Claim
from zoo.manifest.thresholds import Tripwire
from zoo.trials.metrics import Metric, Series

CELLS = grid(**FULL_GRID)
METRICS = metrics()


def flaws(*claims: Claim, cells: list[dict[str, Any]] = CELLS, **known: Metric) -> list[Flaw]:
    """Flaws of claims over a grid."""
    return check_claims(claims, cells, METRICS | known, 100)


def test_claims_that_fit_have_no_flaws() -> None:
    fitting = [
        claim("{id: a, compare: {reward: [box-strict, correctness]}, for_each: [model]}"),
        claim("{id: b, order: {data: [easy, medium, hard]}, where: {model: [m1, m2]}}"),
        claim(
            "{id: c, compare: {data: [hard, easy]}, differs_by: model, where: {model: [m1, m2]}}"
        ),
        claim("{id: d, kind: gain, for_each: [model]}"),
        claim("{id: e, kind: trend, metric: eval/avg6/mean_terminated_length/t1.0}"),
        claim("{id: f, kind: trend, metric: train/completions/mean_length}"),
        claim(
            "{id: g, kind: crossover, metric: 'eval/aime24/pass{k}/t1.0', k: [1, 8, 256], "
            "expect: {not_before: 256}}"
        ),
        claim(
            "{id: h, compare: {data: [hard, easy]}, "
            "event: {metric: train/completions/clipped_ratio, above: 0.5, for: 5}}"
        ),
    ]
    assert flaws(*fitting) == []


@pytest.mark.parametrize(
    ("text", "path", "found", "help_"),
    [
        (
            "compare: {rewards: [box-strict, correctness]}",
            ("compare", "rewards"),
            "no axis 'rewards'",
            "did you mean 'reward'?",
        ),
        (
            "compare: {reward: [box-strickt, correctness]}",
            ("compare", "reward", 0),
            "axis 'reward' has no value 'box-strickt'",
            "did you mean 'box-strict'?",
        ),
        (
            "compare: {reward: [correctness, correctness]}",
            ("compare", "reward"),
            "reward 'correctness' against itself",
            "values that differ",
        ),
        (
            "order: {data: [easy, hard, easy]}",
            ("order", "data"),
            "data 'easy' against itself",
            "values that differ",
        ),
        (
            "{compare: {data: [hard, easy]}, where: {model: m99}}",
            ("where", "model"),
            "axis 'model' has no value 'm99'",
            "did you mean 'm9'?",
        ),
        (
            "{compare: {data: [hard, easy]}, where: {data: hard}}",
            ("where", "data"),
            "'data' again",
            "leave it out of `where`",
        ),
        (
            "{compare: {data: [hard, easy]}, for_each: [data]}",
            ("for_each", 0),
            "'data' is compared",
            "nothing to compare along 'data'",
        ),
        (
            "{compare: {data: [hard, easy]}, differs_by: model, for_each: [model]}",
            ("for_each", 0),
            "'model' is compared",
            "nothing to compare along 'model'",
        ),
        (
            "{compare: {data: [hard, easy]}, for_each: [model, model]}",
            ("for_each", 1),
            "'model' again",
            "each axis once",
        ),
        (
            "{compare: {data: [hard, easy]}, for_each: [seeds]}",
            ("for_each", 0),
            "no axis 'seeds'",
            "seeds are replicates",
        ),
        (
            "{compare: {data: [hard, easy]}, differs_by: data}",
            ("differs_by",),
            "'data' again",
            "another axis",
        ),
        (
            "{compare: {data: [hard, easy]}, differs_by: model, where: {model: m1}}",
            ("differs_by",),
            "'model' has one value in the cells of this claim",
            "two values or more",
        ),
        (
            "{kind: gain, metric: eval/avg6/acc/t1}",
            ("metric",),
            "no evaluation has 'eval/avg6/acc/t1'",
            "did you mean 'eval/avg6/acc/t1.0'?",
        ),
        (
            "{kind: gain, metric: zzz}",
            ("metric",),
            "no evaluation has 'zzz'",
            "there are eval/{avg6, math500, aime24}/{acc, ",
        ),
        (
            "{kind: crossover, metric: 'eval/aime24/pass{k}/t1.0', k: [3], "
            "expect: {not_before: 8}}",
            ("metric",),
            "no evaluation has 'eval/aime24/pass3/t1.0'",
            "k can be 1, 2, 4, 8, 16, 32, 64, 128, 256",
        ),
        (
            "{kind: gain, metric: train/accuracy}",
            ("metric",),
            "'train/accuracy' is not evaluated on the base model",
            "take an `eval/...` metric",
        ),
        (
            "{compare: {data: [hard, easy]}, metric: eval/avg6/mean_terminated_length/t1.0, "
            "expect: {not_worse_than: 10}}",
            ("expect", "not_worse_than"),
            "'eval/avg6/mean_terminated_length/t1.0' is neither better nor worse when higher",
            "set lower_by, higher_by or equal_within",
        ),
        (
            "{compare: {data: [hard, easy]}, event: {metric: train/accuracy, below: 5}}",
            ("event", "below"),
            "train/accuracy below 5",
            "a share between 0 and 1",
        ),
        (
            "{compare: {data: [hard, easy]}, event: {metric: train/acuracy, below: 0.1}}",
            ("event", "metric"),
            "no evaluation has 'train/acuracy'",
            "did you mean 'train/accuracy'?",
        ),
    ],
)
def test_a_word_that_does_not_fit_is_named_where_it_stands(
    text: str, path: tuple[str | int, ...], found: str, help_: str
) -> None:
    (flaw,) = flaws(claim(text))
    assert flaw.path == ("claims", 0, *path)
    assert flaw.found == found
    assert help_ in f"{flaw.expected} {flaw.hint}"


def test_an_id_serves_one_claim() -> None:
    first = claim("{id: a, kind: gain}")
    (flaw,) = flaws(first, claim("{id: b, kind: gain}"), claim("{id: a, kind: trend}"))
    assert (flaw.path, flaw.found) == (("claims", 2, "id"), "a second claim 'a'")


def test_all_flaws_of_all_claims_come_at_once() -> None:
    bad = claim(
        "{id: a, compare: {data: [hrad, easy]}, for_each: [modl], metric: eval/avg6/ac/t1.0}"
    )
    assert [flaw.path[2] for flaw in flaws(bad, bad.model_copy(update={"id": "b"}))] == [
        *("compare", "for_each", "metric"),
        *("compare", "for_each", "metric"),
    ]


def test_a_side_without_its_cells_is_a_flaw() -> None:
    cells = [c for c in CELLS if not (c["model"] == "m3" and c["data"] == "hard")]
    (flaw,) = flaws(claim("{compare: {data: [hard, easy]}, for_each: [model]}"), cells=cells)
    assert flaw.path == ("claims", 0, "compare")
    assert flaw.found == (
        "data 'easy' has a cell (model m3, reward correctness) that the other side lacks, "
        "and 2 more"
    )
    assert "where" in flaw.hint
    left = ", ".join(f"m{i}" for i in range(10) if i != 3)
    assert not flaws(
        claim(f"{{compare: {{data: [hard, easy]}}, where: {{model: [{left}]}}}}"), cells=cells
    )
    assert not flaws(claim("compare: {reward: [box-strict, correctness]}"), cells=cells)


def test_zipped_axes_may_be_compared() -> None:
    cells = [{"model": "m0", "data": "easy"}, {"model": "m1", "data": "hard"}]
    assert not flaws(claim("compare: {model: [m1, m0]}"), cells=cells)
    (flaw,) = flaws(claim("{compare: {data: [hard, easy]}, for_each: [model]}"), cells=cells)
    assert "that the other side lacks" in flaw.found


def test_a_where_that_leaves_nothing_is_a_flaw() -> None:
    cells = [cell for cell in CELLS if cell["model"] != "m0" or cell["data"] == "easy"]
    (flaw,) = flaws(claim("{kind: gain, where: {model: m0, data: hard}}"), cells=cells)
    assert (flaw.path, flaw.found) == (
        ("claims", 0, "where"),
        "no cell of the manifest is like this",
    )
    (flaw,) = flaws(claim("{compare: {data: [hard, medium]}, where: {model: m0}}"), cells=cells)
    assert flaw.path == ("claims", 0, "compare")


def test_a_metric_has_to_be_there_when_the_claim_needs_it() -> None:
    late = Metric(ACC, (ACC,), Series((50, 100)), 100)
    early = Metric(ACC, (ACC,), Series((0, 50)), 100)
    gain, contrast = claim("kind: gain"), claim("compare: {data: [hard, easy]}")
    trend = claim("kind: trend")
    assert [f.found for f in flaws(gain, **{ACC: late})] == [
        f"'{ACC}' is not evaluated on the base model"
    ]
    assert not flaws(contrast, **{ACC: late})
    assert [f.found for f in flaws(contrast, **{ACC: early})] == [
        f"'{ACC}' is not evaluated at the last round (100)"
    ]
    assert [f.found for f in flaws(trend, **{ACC: early})] == [f"'{ACC}' is evaluated 2 times"]


def test_a_metric_that_another_schedule_measures_is_pointed_out() -> None:
    watch, ends = "watch/avg6/acc/t1.0", Series((0, 100))
    known = {ACC: Metric(ACC, (ACC,), ends, 100)}
    known[watch] = Metric(watch, (watch,), Series((0, 50, 100)), 100)
    (flaw,) = flaws(claim("kind: trend"), **known)
    assert flaw.hint == f"'{watch}' is evaluated 3 times"
    (flaw,) = flaws(claim("kind: gain", metric="often/avg6/acc/t1.0"), **known)
    assert flaw.hint == f"did you mean '{ACC}'?"
    (flaw,) = flaws(claim("kind: gain", metric="xx"), **known)
    assert flaw.hint.startswith("there are {eval, watch}/{avg6, ")


def test_a_manifest_that_evaluates_nothing_says_so() -> None:
    known = {name: metric for name, metric in METRICS.items() if name.startswith("train/")}
    (flaw,) = check_claims([claim("kind: gain")], CELLS, known, 100)
    assert "evaluates nothing" in flaw.hint


def test_tripwires_are_checked_like_claims() -> None:
    wires = [
        Tripwire.model_validate(said)
        for said in (
            {"metric": "train/completions/clipped_ratio", "above": 0.5, "for": 5},
            {"metric": "train/clip_ratio/region_mean", "above": 0.5},  # one of TRL's
            {"metric": "train/accuracy", "below": 5},
            {"metric": "eval/math500/ac/t1.0", "below": 0.05},
            {"metric": "train/entrophy", "below": 0.1},
        )
    ]
    found = check_tripwires(wires, METRICS)
    places = [(2, "below"), (3, "metric"), (4, "metric")]
    assert [flaw.path for flaw in found] == [("tripwires", *at) for at in places]
    assert "did you mean 'eval/math500/acc/t1.0'?" in found[1].hint
    assert found[2].found == "no round logs 'train/entrophy'"
    assert "did you mean 'train/entropy'?" in found[2].hint


def test_where_takes_patterns_and_compare_does_not() -> None:
    assert not flaws(claim("{compare: {data: [hard, easy]}, where: {model: 'm*'}}"))
    (flaw,) = flaws(claim("{compare: {data: [hard, easy]}, where: {model: [m1, 'q*']}}"))
    assert (flaw.path, flaw.found) == (
        ("claims", 0, "where", "model", 1),
        "axis 'model' has no value 'q*'",
    )
    (flaw,) = flaws(claim("compare: {data: ['h*', easy]}"))
    assert flaw.found == "axis 'data' has no value 'h*'"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{kind: gain, expect: {higher_by: 100}}", True),
        ("{kind: gain, expect: {higher_by: 99}}", False),
        ("{compare: {data: [hard, easy]}, expect: {equal_within: 150}}", True),
        ("{compare: {data: [hard, easy]}, differs_by: model, expect: {higher_by: 150}}", False),
        ("{compare: {data: [hard, easy]}, differs_by: model, expect: {higher_by: 200}}", True),
        (
            "{kind: gain, metric: eval/math500/mean_length/t1.0, expect: {higher_by: 900}}",
            False,
        ),
        (
            "{compare: {data: [hard, easy]}, event: {metric: train/entropy, above: 3}, "
            "expect: {higher_by: 101}}",
            True,
        ),
    ],
)
def test_a_margin_that_no_result_can_reach_is_a_flaw(text: str, found: bool) -> None:
    said = claim(text)
    assert [flaw.path for flaw in flaws(said) if "percentage points" in flaw.found] == [
        ("claims", 0, "expect", said.expect.word)
    ] * found


def test_an_event_longer_than_the_study_is_a_flaw() -> None:
    event = "{compare: {data: [hard, easy]}, event: {metric: train/entropy, above: 3, for: %s}}"
    assert not flaws(claim(event % 100))
    (flaw,) = flaws(claim(event % 101))
    assert flaw.path == ("claims", 0, "event", "for")
    assert (flaw.found, flaw.expected) == ("for 101 rounds in a row", "at most 100, as rounds")
