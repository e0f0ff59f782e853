"""Metrics of a stored, graded set of responses beyond accuracy: pass@k, votes, lengths, endings,
repetition, scripts. Pure: numbers and texts in, numbers out; no files, no engine.

The unit is the problem. Responses without a score (an unreadable reference, a fault of the grader)
are left out of every metric of correctness. The same set gives the same numbers, byte for byte:
nothing here is random.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb
from statistics import fmean
from typing import Any

from zoo.grading import Verdict, agree
from zoo.stats.jackknife import JackknifeEstimate, ratio
from zoo.stats.proportions import wilson
from zoo.stats.samples import pass_at

MAX_K = 256
"""The largest k of pass@k."""
MAX_VOTERS = 32
"""The largest k of maj@k below all responses: the exact number takes too long beyond."""
NGRAM = 4
_QUESTION = re.compile(
    r"\n[ \t#*]*(?:question|problem|exercise|example|user|human|q)\b[ \t]*\d*[ \t*]*[:.]",
    re.IGNORECASE,
)
_ANSWERED = re.compile(r"\\boxed\s*\{|answer is|answer\s*:|####", re.IGNORECASE)
_OURS = ("LATIN", "GREEK")
_SCRIPTS = ("CJK", "CYRILLIC", "ARABIC", "HEBREW", "HANGUL", "HIRAGANA", "KATAKANA", "THAI")
_MAX_CHARS = 65_536


@dataclass(frozen=True, slots=True)
class Response:
    """One graded response. `length`: tokens, None = unknown (an imported response)."""

    verdict: Verdict
    prediction: str | None
    text: str
    length: int | None
    finish: str
    tokens: Sequence[Hashable] = ()
    """Token ids, for repetition; () = use the words of the text."""

    @property
    def correct(self) -> bool:
        """Whether it is right."""
        return self.verdict is Verdict.CORRECT


@dataclass(frozen=True, slots=True)
class Answered:
    """A problem and all responses to it, in the order in which they were sampled."""

    id: str
    level: str
    source: str
    responses: tuple[Response, ...]

    @property
    def scored(self) -> list[Response]:
        """The responses that have a score."""
        return [response for response in self.responses if response.verdict.scored]


def responses_of(
    columns: Mapping[str, Sequence[Any]],
    verdicts: Iterable[Verdict],
    predictions: Iterable[str | None],
) -> list[Response]:
    """Stored responses (columns `text`, `token_ids`, `finish`) with the grader's results."""
    stored = (columns["text"], columns["token_ids"], columns["finish"])
    return [
        Response(verdict, prediction, text, None if ids is None else len(ids), finish, ids or ())
        for verdict, prediction, text, ids, finish in zip(
            verdicts, predictions, *stored, strict=True
        )
    ]


# -- right answers --------------------------------------------------------------------------------


def avg(problems: Sequence[Answered]) -> JackknifeEstimate:
    """avg@k: the share of right responses among all that have a score. With one response a problem
    the interval is Wilson's."""
    kept = [problem.scored for problem in problems]
    if (n := len(kept)) and all(len(rs) == 1 for rs in kept):
        value = sum(rs[0].correct for rs in kept) / n
        return JackknifeEstimate(value, *wilson(value, n), n)
    return ratio([sum(r.correct for r in rs) for rs in kept], [len(rs) for rs in kept])


def pass_ks(samples: int) -> list[int]:
    """The k at which pass@k is worth stating with S samples: powers of two up to S/2 (beyond, the
    estimator's variance is that of a few subsets) and up to 256."""
    return [2**i for i in range(1, 9) if 2**i <= min(MAX_K, samples // 2)]


def pass_at_k(problems: Sequence[Answered], k: int) -> JackknifeEstimate:
    """The chance that one of k responses is right, unbiased (Chen et al. 2021, arXiv:2107.03374),
    averaged over the problems that have k scored responses."""
    kept = [rs for problem in problems if len(rs := problem.scored) >= k]
    return ratio([pass_at(k, len(rs), sum(r.correct for r in rs)) for rs in kept])


def maj_ks(samples: int) -> list[int]:
    """The k at which maj@k is stated with S samples: powers of two up to S/2 and 32, and S."""
    return [*(k for k in pass_ks(samples) if 4 <= k <= MAX_VOTERS), *([samples] * (samples > 1))]


def maj_at_k(problems: Sequence[Answered], k: int) -> JackknifeEstimate:
    """The chance that the most frequent answer of k responses is right, exact over all subsets of
    k, averaged over the problems that have k scored responses. Answers that the grader calls equal
    are one; of equally frequent ones each is as likely to win; no answer does not vote."""
    kept = [rs for problem in problems if len(rs := problem.scored) >= k]
    return ratio([_maj(k, rs) for rs in kept])


def classes(responses: Sequence[Response]) -> tuple[int, tuple[int, ...], int]:
    """Votes by answer: for the right one, for each wrong one (largest first), and how many
    responses have no answer. Correct answers are equal through the reference; wrong ones where the
    grader's fast path finds them equal (`zoo.grading.agree`)."""
    right = sum(response.correct for response in responses)
    said = [r.prediction for r in responses if not r.correct]
    votes: dict[str, int] = {}
    for prediction in said:
        if prediction is not None:
            votes[prediction] = votes.get(prediction, 0) + 1
    merged: dict[str, int] = {}
    for text, n in votes.items():
        same = next((one for one in merged if agree(one, text)), text)
        merged[same] = merged.get(same, 0) + n
    blank = len(said) - sum(votes.values())
    return right, tuple(sorted(merged.values(), reverse=True)), blank


def _maj(k: int, responses: Sequence[Response]) -> float:
    right, wrong, blank = classes(responses)
    return majority_chance(k, right, wrong, blank)


@lru_cache(maxsize=65_536)
def majority_chance(k: int, right: int, wrong: tuple[int, ...], blank: int) -> float:
    """Chance that among k responses, drawn without return from `right` + sum(`wrong`) + `blank`,
    the right answer has most votes; with t others as frequent it wins in 1 / (t + 1) of the cases.
    """
    total = right + sum(wrong) + blank
    if k == total:  # there is one way to draw all
        most = max(wrong, default=0)
        return 0.0 if right < max(most, 1) else 1 / (1 + wrong.count(right))
    found = 0.0
    for m in range(1, min(right, k) + 1):
        free = blank + sum(n for n in wrong if n < m)  # these can neither win nor tie
        ways = {(0, 0): 1.0}  # (drawn, ties) -> subsets, as floats: there are many
        for n in (n for n in wrong if n >= m):
            choices = [float(comb(n, own)) for own in range(m + 1)]
            more: dict[tuple[int, int], float] = {}
            for (drawn, ties), count in ways.items():
                for own in range(min(m, k - m - drawn) + 1):
                    key = (drawn + own, ties + (own == m))
                    more[key] = more.get(key, 0.0) + count * choices[own]
            ways = more
        for (drawn, ties), count in ways.items():
            rest = comb(free, k - m - drawn) if k - m - drawn <= free else 0
            found += comb(right, m) * count * rest / comb(total, k) / (ties + 1)
    return found


def by(
    problems: Sequence[Answered], key: Callable[[Answered], str]
) -> dict[str, JackknifeEstimate]:
    """`avg` by level or source, in the order of their names."""
    names = sorted({key(problem) for problem in problems})
    return {name: avg([p for p in problems if key(p) == name]) for name in names}


# -- lengths, endings, texts ----------------------------------------------------------------------


def lengths(problems: Sequence[Answered]) -> dict[str, float | None]:
    """Mean tokens: of all responses, of those that ended with a stop id, of correct and of wrong
    ones. None where there are none, or lengths are unknown."""
    kept = [r for problem in problems for r in problem.responses if r.length is not None]
    wrong = [r for r in kept if r.verdict.scored and not r.correct]
    return {
        "mean": _mean(r.length for r in kept),
        "terminated": _mean(r.length for r in kept if r.finish != "length"),
        "right": _mean(r.length for r in kept if r.correct),
        "wrong": _mean(r.length for r in wrong),
    }


ENDINGS = ("runs_on", "clipped", "answered", "unanswered")


def ending(response: Response) -> str:
    """How a response ends: `runs_on` (poses another question after its answer, clipped or not: a
    stop id is missing), else `clipped` (ran into the limit), `answered` or `unanswered`."""
    if runs_on(response.text):
        return "runs_on"
    if response.finish == "length":
        return "clipped"
    return "unanswered" if response.prediction is None else "answered"


def runs_on(text: str) -> bool:
    """Whether a response poses another question after it has answered."""
    answered = _ANSWERED.search(text)
    return answered is not None and _QUESTION.search(text, answered.end()) is not None


def repetition(response: Response) -> float | None:
    """Share of 4-grams of tokens that came before in the response: seq-rep-4 of Welleck et al.
    2020 (arXiv:1908.04319); words are used where token ids are unknown. None below 4 tokens."""
    tokens = response.tokens or response.text[:_MAX_CHARS].split()
    n = len(tokens) - NGRAM + 1
    if n < 1:
        return None
    return 1 - len(set(zip(*(tokens[at:] for at in range(NGRAM)), strict=False))) / n


def other_script(text: str) -> bool:
    """Whether a text has a letter of another script than Latin and Greek (after NFKC, so that
    mathematical letters are Latin). Other languages in Latin letters are not seen."""
    if text.isascii():
        return False
    return any(_foreign(c) for c in set(unicodedata.normalize("NFKC", text[:_MAX_CHARS])))


@lru_cache(maxsize=65_536)
def _foreign(character: str) -> bool:
    if not character.isalpha():
        return False
    name = unicodedata.name(character, "")
    if name.startswith(_SCRIPTS):
        return True
    return unicodedata.category(character) in ("Ll", "Lu", "Lo") and not name.startswith(
        (*_OURS, "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER", "ALEF", "MICRO")
    )


def texts(problems: Sequence[Answered]) -> dict[str, float | None]:
    """Shares of responses by ending, mean repetition, and the share with another script."""
    all_ = [response for problem in problems for response in problem.responses]
    ends = [ending(response) for response in all_]
    repeats = [x for response in all_ if (x := repetition(response)) is not None]
    return {
        **{f"ends/{name}": _mean(end == name for end in ends) for name in ENDINGS},
        "repetition": _mean(repeats),
        "other_script": _mean(other_script(response.text) for response in all_),
    }


def response_measures(responses: Sequence[Response]) -> dict[str, float | None]:
    """Response metrics stored with every evaluation (`zoo.trials.metrics.MEASURES`): mean tokens of
    correct and of wrong ones; shares without an answer, with another question after the answer,
    with a letter of another script; mean share of repeated 4-grams. None where no response
    counts."""
    known = [r for r in responses if r.length is not None and r.verdict.scored]
    return {
        "mean_right_length": _mean(r.length for r in known if r.correct),
        "mean_wrong_length": _mean(r.length for r in known if not r.correct),
        "no_answer_ratio": _mean(r.prediction is None for r in responses),
        "runs_on_ratio": _mean(runs_on(r.text) for r in responses),
        "repetition_ratio": _mean(repetition(r) for r in responses),
        "other_script_ratio": _mean(other_script(r.text) for r in responses),
    }


def mixed_groups(problems: Sequence[Answered]) -> JackknifeEstimate:
    """Share of problems with right and wrong responses among several: only these have a GRPO
    signal under a reward for correctness."""
    kept = [rs for problem in problems if len(rs := problem.scored) > 1]
    return ratio([float(0 < sum(r.correct for r in rs) < len(rs)) for rs in kept])


def _mean(values: Iterable[float | None]) -> float | None:
    found = [float(value) for value in values if value is not None]
    return fmean(found) if found else None


# -- all of it ------------------------------------------------------------------------------------


def summary(problems: Sequence[Answered]) -> dict[str, Any]:
    """Everything above as JSON. Problems must have equally many responses."""
    samples = max((len(problem.responses) for problem in problems), default=0)
    levels, sources = by(problems, lambda p: p.level), by(problems, lambda p: p.source)
    found: dict[str, Any] = {
        "problems": len(problems),
        "samples": samples,
        f"avg@{samples}": avg(problems).row(),
        **{f"pass@{k}": pass_at_k(problems, k).row() for k in pass_ks(samples)},
        **{f"maj@{k}": maj_at_k(problems, k).row() for k in maj_ks(samples)},
        "length": lengths(problems),
        "texts": texts(problems),
        "level": {name or "none": estimate.row() for name, estimate in levels.items()},
        "source": {name: estimate.row() for name, estimate in sources.items()},
    }
    if samples > 1:
        found["mixed_groups"] = mixed_groups(problems).row()
    return found
