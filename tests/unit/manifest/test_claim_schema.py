"""Claims say one decidable thing each; their kind follows from what they compare."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from zoo.catalog.cards import Part
from zoo.errors import InputError
from zoo.manifest.claim_schema import Claim
from zoo.yamlio import strict_yaml
from zoo.yamlio.validate import validate

METRIC = "eval/avg6/acc/t1.0"


def claim(text: str) -> Claim:
    """A claim from the lines that matter; the rest is filled in."""
    said: dict[str, Any] = {"id": "c", "says": "So it is."} | yaml.safe_load(text)
    return Claim.model_validate(said)


DESIGN = """
id: format-hurts
says: A strict box reward lowers the final accuracy.
compare: {reward: [box-strict, correctness]}
for_each: [model]
metric: eval/avg6/acc/t1.0
expect: {lower_by: 0}
"""


def test_the_claim_of_the_design_is_a_contrast() -> None:
    found = claim(DESIGN)
    assert found.kind == "contrast"
    assert (found.axis, found.values) == ("reward", ("box-strict", "correctness"))
    assert str(found.expect) == "lower_by: 0"
    assert found.metrics == (METRIC,)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{compare: {data: [a, b]}, metric: m, expect: {higher_by: 1}}", "contrast"),
        (
            "{kind: contrast, compare: {data: [a, b]}, metric: m, expect: {higher_by: 1}}",
            "contrast",
        ),
        (
            "{compare: {data: [a, b]}, differs_by: model, metric: m, expect: {higher_by: 1}}",
            "interaction",
        ),
        ("{order: {data: [a, b, c]}, metric: m}", "ordering"),
        (
            "{compare: {prompt: [a, b]}, event: {metric: m, above: 0.5}, expect: {higher_by: 10}}",
            "rate",
        ),
        ("{kind: gain, metric: m, expect: {higher_by: 0}}", "gain"),
        ("{kind: trend, metric: m, expect: {higher_by: 0}}", "trend"),
        (
            "{kind: crossover, metric: 'p{k}', k: [1, 8], expect: {not_before: 64}}",
            "crossover",
        ),
    ],
)
def test_the_kind_is_inferred_where_it_can_be(text: str, kind: str) -> None:
    found = claim(text)
    assert found.kind == kind
    assert Claim.model_validate(found.model_dump()) == found
    assert Claim.model_validate(found.model_dump(mode="json")) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{metric: m, expect: {lower_by: 0}}", "kind contrast: it needs compare; or set"),
        ("{kind: gain, expect: {lower_by: 0}}", "kind gain: it needs metric"),
        (
            "{kind: gain, compare: {a: [1, 2]}, metric: m, expect: {lower_by: 0}}",
            "kind gain: it has no compare",
        ),
        ("{kind: trend, metric: m}", "kind trend: it needs expect"),
        (
            "{compare: {a: [1, 2]}, order: {a: [1, 2]}, metric: m}",
            "kind ordering: it has no compare",
        ),
        (
            "{compare: {a: [1, 2]}, event: {metric: m, above: 1}, metric: m, "
            "expect: {lower_by: 0}}",
            "kind rate: it has no metric",
        ),
        ("{order: {a: [1, 2]}, metric: m, expect: {lower_by: 0}}", "`higher_by`, as `order` is"),
        ("{kind: gain, metric: m, expect: {not_before: 8}}", "`not_before` is for crossovers"),
        (
            "{kind: crossover, metric: 'p{k}', k: [1], expect: {lower_by: 8}}",
            "`not_before: K`, as a crossover has",
        ),
        ("{kind: crossover, metric: p1, k: [1], expect: {not_before: 8}}", "a metric with {k}"),
        (
            "{kind: crossover, metric: 'p{k}', k: [8], expect: {not_before: 8}}",
            "a k below not_before",
        ),
        (
            "{kind: crossover, metric: 'p{k}', k: [8, 1], expect: {not_before: 16}}",
            "numbers that rise",
        ),
        ("{compare: {a: [1, 2]}, metric: m, expect: {}}", "exactly one of lower_by, higher_by"),
        (
            "{compare: {a: [1, 2]}, metric: m, expect: {lower_by: 1, equal_within: 2}}",
            "exactly one of",
        ),
        ("{compare: {a: [1, 2]}, metric: m, expect: {lower_by: -1}}", "greater than or equal to 0"),
        ("{compare: {a: [1, 2]}, metric: m, expect: {lower_by: .inf}}", "finite"),
        ("{compare: {a: [1, 2]}, metric: m, expect: {equal_within: 0}}", "greater than 0"),
        ("{compare: {a: [1]}, metric: m, expect: {lower_by: 0}}", "one axis and two of its values"),
        ("{compare: {a: [1, 2, 3]}, metric: m, expect: {lower_by: 0}}", "one axis and two of its"),
        ("{compare: {a: 1}, metric: m, expect: {lower_by: 0}}", "one axis and two of its values"),
        ("{compare: {a: [1, [2]]}, metric: m, expect: {lower_by: 0}}", "one axis and two of its"),
        (
            "{compare: {a: [1, 2], b: [1, 2]}, metric: m, expect: {lower_by: 0}}",
            "one axis and two of its values, `{A: [b, c]}`",
        ),
        ("{order: {a: [1]}, metric: m}", "one axis and its values, `{A: [b, c, ...]}`"),
        (
            "{kind: gain, where: {a: {b: 1}}, metric: m, expect: {lower_by: 0}}",
            "a value, a pattern such as `qwen*`, or a list of them",
        ),
        ("{id: Not A Slug, kind: gain, metric: m, expect: {lower_by: 0}}", "pattern"),
        ("{kind: gain, metric: m, expect: {lower_by: 0}, unless: it rains}", "Extra inputs"),
    ],
)
def test_a_claim_that_says_too_little_or_too_much_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        claim(text)
    assert message in str(caught.value)


def test_a_crossover_is_judged_at_every_k_below_its_number() -> None:
    found = claim(
        "{kind: crossover, metric: 'eval/aime24/pass{k}/t1.0', k: [1, 8, 64, 128], "
        "expect: {not_before: 128}}"
    )
    assert found.tested_k == (1, 8, 64)
    assert found.metrics[-1] == "eval/aime24/pass64/t1.0"


def test_a_rate_is_judged_by_the_metric_of_its_event() -> None:
    found = claim(
        "{compare: {prompt: [a, b]}, event: {metric: train/kl, above: 1, for: 3}, "
        "expect: {higher_by: 0}}"
    )
    assert found.metrics == ("train/kl",)
    assert found.event is not None
    assert found.event.rounds == 3


def test_an_ordering_may_leave_its_expectation_out() -> None:
    assert str(claim("{order: {data: [a, b]}, metric: m}").expect) == "higher_by: 0"


def test_values_keep_their_types() -> None:
    found = claim("{compare: {grpo.x: [1.0e-6, null]}, metric: m, expect: {lower_by: 0}}")
    assert found.values == (1e-6, None)
    found = claim("{compare: {grpo.x: [true, 2]}, metric: m, expect: {lower_by: 0}}")
    assert found.values == (True, 2)


def test_a_misspelt_key_of_a_claim_is_understood() -> None:
    class Study(Part):
        claims: list[Claim]

    text = "claims:\n  - {id: a, says: b, comapre: {a: [1, 2]}, metric: m, expect: {lower: 0}}\n"
    with pytest.raises(InputError) as caught:
        validate(Study, strict_yaml.parse(text))
    assert [fault.hint for fault in caught.value.faults] == [
        "did you mean 'compare'?",
        "did you mean 'lower_by'?",
    ]
