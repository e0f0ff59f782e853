"""The reward functions that cards name, and `compute`, which calls one by its name.

Every function has one signature: `(verdicts_G, completions_G, params, seed) -> [float or None]_G`,
with G the completions of one prompt, and gets every parameter that `zoo.rewards.parameters` names
for it. Sources are named where a function follows a paper or a code base.
"""

from __future__ import annotations

import itertools
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from zoo.grading import Verdict, agree, extract
from zoo.rewards.base import Completion, Reward, Values, unscored_as_none
from zoo.rewards.parameters import filled
from zoo.rewards.shaping import cosine, overlong, repetition

PART_SEED = 7_919
"""Added to the seed for each further part of a sum."""
_THOUGHT_ENDS = re.compile(r"</think>\s*<answer>")


def compute(
    kind: str,
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """The rewards of one group by the function named `kind`; None where the verdict is unscored.

    `kind` and `params` are those of a card, which was validated by the plan.
    """
    values = REWARDS[kind](verdicts, completions, filled(kind, params), seed)
    return unscored_as_none(verdicts, values)


def matrix(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """The 2x2 of {right, wrong} x {boxed, not}: right_boxed, right_plain, wrong_boxed,
    wrong_plain.
    """
    return _two_by_two(verdicts, [done.boxed for done in completions], params, "boxed")


def tags(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """As `matrix`, with non-empty think and answer tags for the box: right_tagged and so on.

    Source: hkust-nlp/simpleRL-reason deepseek_r1.py (shipped, never called); arXiv:2501.12948.
    """
    tagged = [_is_tagged(done.text) for done in completions]
    return _two_by_two(verdicts, tagged, params, "tagged")


def _is_tagged(text: str) -> bool:
    """Whether a text is a thought and an answer in their tags, both not empty, and
    nothing else. Reads each character a few times at most: a single regular expression could
    backtrack for minutes on hostile text.
    """
    text = text.strip()
    between = _THOUGHT_ENDS.search(text)
    if between is None or not (text.startswith("<think>") and text.endswith("</answer>")):
        return False
    thought = text[len("<think>") : between.start()]
    answer = text[between.end() : -len("</answer>")]
    return bool(thought.strip() and answer.strip())


def _two_by_two(
    verdicts: Sequence[Verdict], formatted: Sequence[bool], params: Mapping[str, Any], word: str
) -> Values:
    return [
        params[f"{'right' if verdict.correct else 'wrong'}_{word if good else 'plain'}"]
        for verdict, good in zip(verdicts, formatted, strict=True)
    ]


def gate(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """`right` for a correct and boxed answer, `otherwise` for all others: format is a gate."""
    right, otherwise = params["right"], params["otherwise"]
    return [
        right if verdict.correct and done.boxed else otherwise
        for verdict, done in zip(verdicts, completions, strict=True)
    ]


def additive(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """`correct` if right plus `format` if boxed: the two signals are added, as in
    arXiv:2501.12948.
    """
    right, boxed = params["correct"], params["format"]
    return [
        right * verdict.correct + boxed * done.boxed
        for verdict, done in zip(verdicts, completions, strict=True)
    ]


def inverted(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """Rewards wrong answers: the control of arXiv:2506.10947 ("incorrect labels")."""
    right, wrong = params["right"], params["wrong"]
    return [right if verdict.correct else wrong for verdict in verdicts]


def format_only(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """Rewards a complete box whatever is in it (arXiv:2506.10947, "format reward")."""
    boxed, plain = params["boxed"], params["plain"]
    return [boxed if done.boxed else plain for done in completions]


def random_reward(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """1 with probability `p`, whatever the answer (arXiv:2506.10947); the seed decides."""
    draw = random.Random(seed)
    return [1.0 if draw.random() < params["p"] else 0.0 for _ in completions]


def majority(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """1 for the majority answer of the group, independent of the reference (TTRL).

    Answers are extracted by the rule `extract` and counted as one where the fast path of the
    grader takes each of them for the other, be it over answers between them; the first in the group
    wins a tie. No answer gets 0. Source: arXiv:2504.16084 section 2.
    """
    answers = [extract(done.text, params["extract"]) for done in completions]
    labels = _classes({answer: answer for answer in answers if answer is not None})
    votes = Counter(labels[answer] for answer in answers if answer is not None)
    if not votes:
        return [0.0] * len(completions)
    winner = votes.most_common(1)[0][0]
    return [1.0 if a is not None and labels[a] == winner else 0.0 for a in answers]


def _classes(labels: dict[str, str]) -> dict[str, str]:
    """The answers, each with one label for all that `agree` joins. It joins 50 % with 50 and with
    0.5, and takes 5 = 7 for 7 as a reference but not as an answer; going over others and both ways,
    what counts as one depends on no order.
    """
    for one, other in itertools.combinations(labels, 2):
        kept, gone = labels[one], labels[other]
        if kept != gone and agree(one, other) and agree(other, one):
            labels = {k: kept if label == gone else label for k, label in labels.items()}
    return labels


def weighted_sum(
    verdicts: Sequence[Verdict],
    completions: Sequence[Completion],
    params: Mapping[str, Any],
    seed: int,
) -> Values:
    """The sum of `parts`, each `{name, kind, weight, params}`; a part's seed is its own.

    The value is None where any part gives None.
    """
    totals: Values = [0.0] * len(completions)
    for index, part in enumerate(params["parts"]):
        weight, inner = part.get("weight", 1.0), part.get("params", {})
        values = compute(part["kind"], verdicts, completions, inner, seed + PART_SEED * index)
        totals = [
            None if total is None or value is None else total + weight * value
            for total, value in zip(totals, values, strict=True)
        ]
    return totals


REWARDS: dict[str, Reward] = {
    "matrix": matrix,
    "tags": tags,
    "gate": gate,
    "additive": additive,
    "inverted": inverted,
    "format_only": format_only,
    "random": random_reward,
    "majority": majority,
    "overlong": overlong,
    "cosine": cosine,
    "repetition": repetition,
    "sum": weighted_sum,
}
