"""Proposals for prompt, stop ids, length and bucket from a round-0 probe of a base model. Pure:
stored responses in, proposals with their evidence out.

A wrong prompt, a missing stop id or a max response length that is too short made replications of
the study fail; all three are visible before training.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from zoo.evals.depth import Answered, Response
from zoo.stats.jackknife import NOTHING, JackknifeEstimate, ratio

FOLLOWS = 0.1
"""Share of the responses that go on after their answer which a token must follow to be a stop id.
"""
BEFORE = 0.01
"""Highest share of correct responses that contain it before their answer: these would be cut."""
LEAST = 5
"""Responses that it must follow."""
ROOM = 2
"""Ratio of the max response length to the length of nearly all correct responses: training
lengthens them."""
PREFIX = 0.6
"""Share of a question that a model is given to complete (as in arXiv:2507.10532)."""
REST_CHARS, MOST_CHARS = 20, 160
"""Of the rest of a question: the minimum for a comparison, and the most that is compared."""
_BOX = re.compile(r"\\boxed\s*\{")
_PHRASE = re.compile(r"(?:answer is|answer\s*:|####)\s*[^\n]*?(?=\.(?:\s|$)|\n|$)", re.IGNORECASE)

TextOf = Callable[[Sequence[int]], str]
"""The text of token ids, without special tokens."""


def answer_end(text: str) -> int | None:
    """Where the first answer of a response ends: behind the first box, else behind the first
    `answer is ...`, `answer: ...` or `#### ...`; None without one."""
    box, phrase = _BOX.search(text), _PHRASE.search(text)
    if box is not None and (phrase is None or box.start() <= phrase.end()):
        depth = 0
        for at in range(box.end() - 1, len(text)):
            depth += (text[at] == "{") - (text[at] == "}")
            if not depth:
                return at + 1
        return None
    return phrase.end() if phrase is not None else None


@dataclass(frozen=True, slots=True)
class Split:
    """Where a response's answer ends in its tokens, and which token of text follows."""

    before: tuple[int, ...]
    """Token ids up to the end of the answer."""
    follower: int | None
    """The first token after it that contains a letter; None = the response ends there."""
    correct: bool


def ids_of(response: Response) -> list[int]:
    """The token ids of a response; none for an imported one."""
    return [token for token in response.tokens if isinstance(token, int)]


def split(response: Response, text_of: TextOf) -> Split | None:
    """Split a response at the end of its answer; None where it has none, or no token ids."""
    end = answer_end(response.text)
    ids = ids_of(response)
    if end is None or not ids:
        return None
    low, high = 0, len(ids)
    while low < high:  # the fewest tokens whose text reaches the end
        middle = (low + high) // 2
        if len(text_of(ids[:middle])) >= end:
            high = middle
        else:
            low = middle + 1
    rest = ids[low:]
    follower = next((id_ for id_ in rest if any(c.isalpha() for c in text_of([id_]))), None)
    return Split(tuple(ids[:low]), follower, response.correct)


@dataclass(frozen=True, slots=True)
class Follower:
    """A token that follows answers."""

    id: int
    text: str
    follows: int
    """Responses in which it is the first token of text behind the answer."""
    of: int
    """Responses that go on behind their answer."""
    before: int
    """Correct responses that contain it before their answer."""
    right: int
    """Right responses with an answer."""

    @property
    def proposed(self) -> bool:
        """Whether it makes a stop id: it often follows, and next to never comes before."""
        often = self.follows >= max(LEAST, FOLLOWS * self.of)
        return often and self.before <= BEFORE * max(self.right, 1)


def followers(
    responses: Sequence[Response], text_of: TextOf, end_ids: Collection[int] = (), most: int = 8
) -> list[Follower]:
    """Which tokens follow an answer, the most frequent first. `end_ids`: those that end a response
    anyway."""
    splits = [found for response in responses if (found := split(response, text_of)) is not None]
    right = [set(found.before) for found in splits if found.correct]
    said = [found.follower for found in splits if found.follower is not None]
    counts = Counter(id_ for id_ in said if id_ not in end_ids)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return [
        Follower(
            id=id_,
            text=text_of([id_]),
            follows=n,
            of=sum(counts.values()),
            before=sum(id_ in ids for ids in right),
            right=len(right),
        )
        for id_, n in ranked
    ]


def cut_at(response: Response, stop_ids: Collection[int]) -> int | None:
    """How many tokens of a response are left where it ends with the first stop id (inclusive, as
    vLLM has it); None without one."""
    return next((at + 1 for at, id_ in enumerate(response.tokens) if id_ in stop_ids), None)


def cap(responses: Sequence[Response], most: int) -> int | None:
    """A max response length of twice the length of 99 % of the correct responses, in steps of 64,
    at most `most`; None without a correct response."""
    right = sorted(r.length for r in responses if r.correct and r.length is not None)
    if not right:
        return None
    nearly_all = right[min(len(right) - 1, math.ceil(0.99 * len(right)) - 1)]
    return min(most, 64 * math.ceil(ROOM * max(nearly_all, 1) / 64))


def gain(one: Sequence[Answered], other: Sequence[Answered]) -> JackknifeEstimate:
    """Accuracy of `other` less that of `one` on the same problems, paired by problem."""
    shares = [{p.id: _share(p) for p in problems} for problems in (one, other)]
    gaps = [
        b - a
        for id_, a in shares[0].items()
        if a is not None and (b := shares[1].get(id_)) is not None
    ]
    return ratio(gaps, share=False) if gaps else NOTHING


def _share(problem: Answered) -> float | None:
    scored = problem.scored
    return sum(r.correct for r in scored) / len(scored) if scored else None


# -- verbatim completion --------------------------------------------------------------------------


def halves(question: str) -> tuple[str, str] | None:
    """The first 60 % of a question's words, and the rest; None where the rest is too short."""
    words = question.split()
    at = math.ceil(PREFIX * len(words))
    first, rest = " ".join(words[:at]), " ".join(words[at:])
    return (first, rest) if len(rest) >= REST_CHARS and first else None


def verbatim(completion: str, rest: str) -> bool:
    """Whether a completion begins with the rest of a question (its first 160 characters), but for
    white space."""
    wanted = " ".join(rest.split())[:MOST_CHARS]
    return " ".join(completion.split()).startswith(wanted)
