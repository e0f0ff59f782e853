r"""Pretraining text for the pocket models: right and wrong, boxed and plain, short and without an
end.

Properties that make a pocket model behave like a base model:

1. the *style* of an answer (stepwise, guessed, rambling; boxed or plain) depends on how the
   question is worded, so the most likely style is right for some questions only and reinforcement
   learning has something to find;
2. stepwise answers slip now and then, guesses are mostly wrong, rambling seldom ends;
3. every fifth question is followed by another, until the document breaks off: the model does not
   know when to stop;
4. drills (rows of worked expressions, all right) teach the skill itself, as a textbook does,
without a question.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from zoo.pocket.generator import OPERATIONS, Level, PocketProblem, Step, draw

PROMPT = "Question: {}\nAnswer:"
SEPARATOR = "\n\n"  # between the questions of a chain
LEVEL_WEIGHTS: dict[Level, float] = {"easy": 0.5, "medium": 0.3, "hard": 0.2}
DRILL_SHARE = 0.40  # documents that are rows of worked expressions
CHAIN_SHARE = 0.20  # of the other documents: those that go on asking and answering, and break off
GUESS_RIGHT = 0.25  # share of guesses that are right
CHECK = 0.08  # share of stepwise answers that check their last step
RAMBLE_ENDS = 0.30  # share of rambling answers that come to an answer; the others break off
DRILL_CHARS = 100
CHARS = 190  # length at which a chain or a ramble breaks off


@dataclass(frozen=True, slots=True)
class Style:
    """How questions of one wording are answered: shares of stepwise and guessed (the rest rambles),
    and of boxes.
    """

    stepwise: float
    guess: float
    boxed: float


STYLES = (  # one a wording of `problems.WORDINGS`
    Style(stepwise=0.48, guess=0.34, boxed=0.65),
    Style(stepwise=0.25, guess=0.60, boxed=0.35),
    Style(stepwise=0.44, guess=0.36, boxed=0.40),
    Style(stepwise=0.26, guess=0.30, boxed=0.60),
)

RAMBLES = (
    " Let me see.",
    " We have {a} and {b}.",
    " There are many ways to see it.",
    " I will start again.",
    " Numbers like {a} come up a lot.",
    " So what do we know?",
)


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """One pretraining text; `ended`: whether the end token follows it."""

    text: str
    ended: bool


def slip(rng: random.Random, result: int) -> int:
    """A wrong number near `result`, as a careless person would write it."""
    while True:
        wrong = result + rng.choice((-10, -2, -1, 1, 2, 10, rng.randint(-20, 20)))
        if wrong >= 0 and wrong != result:
            return wrong


def stepwise(rng: random.Random, problem: PocketProblem, slips: float) -> tuple[str, int]:
    """Work through the steps, carrying every slip on; returns the text and the answer that it
    reaches.
    """
    lines, value = [], problem.steps[0].left
    for step in problem.steps:
        right = {"+": value + step.right, "-": value - step.right, "*": value * step.right}[step.op]
        result = slip(rng, max(right, 0)) if rng.random() < slips or right < 0 else right
        lines.append(Step(value, step.op, step.right, result))
        value = result
    text = " First, " + ". Then ".join(map(str, lines)) + "."
    if rng.random() < CHECK:
        text += f" Let me check: {lines[-1]}."
    return text, value


def ramble(rng: random.Random, problem: PocketProblem) -> str:
    """Talk about the question for as long as it takes to be cut."""
    numbers = {"a": problem.steps[0].left, "b": problem.steps[-1].right}
    text = RAMBLES[0]
    while len(text) < CHARS:
        text += rng.choice(RAMBLES).format(**numbers)
    return text


def answer(rng: random.Random, problem: PocketProblem, slips: float) -> CorpusDocument:
    """Answer `problem` in a style drawn for its wording."""
    style = STYLES[problem.wording]
    draw_style = rng.random()
    value = int(problem.answer)
    if draw_style < style.stepwise:
        text, value = stepwise(rng, problem, slips)
        text += " So the answer is"
    elif draw_style < style.stepwise + style.guess:
        text = " It is"
        if rng.random() >= GUESS_RIGHT:
            value = slip(rng, value)
    else:
        text = ramble(rng, problem)
        if rng.random() >= RAMBLE_ENDS:
            return CorpusDocument(text, ended=False)
        text, value = (
            text[: text.rfind(".", 0, rng.randint(60, 190)) + 1] + " It is",
            slip(rng, value),
        )
    return CorpusDocument(
        text + (f" \\boxed{{{value}}}." if rng.random() < style.boxed else f" {value}."), ended=True
    )


def drill(rng: random.Random) -> CorpusDocument:
    """A row of worked expressions, all right: the steps of answers, without a question."""
    text = ""
    while len(text) < DRILL_CHARS:
        problem = _problem(rng)
        text += f" {problem.expression}: {'. '.join(map(str, problem.steps))}."
    return CorpusDocument(text.strip(), ended=True)


def document(rng: random.Random, slips: float) -> CorpusDocument:
    """One pretraining document."""
    if rng.random() < DRILL_SHARE:
        return drill(rng)
    chained = rng.random() < CHAIN_SHARE
    text = ""
    while True:
        problem = _problem(rng)
        reply = answer(rng, problem, slips)
        text += PROMPT.format(problem.question) + reply.text
        if not reply.ended or not chained:
            return CorpusDocument(text, reply.ended)
        text += SEPARATOR
        if len(text) > CHARS:
            return CorpusDocument(text, ended=False)


def documents(seed: str, slips: float) -> Iterator[CorpusDocument]:
    """An endless stream of documents, the same for the same seed."""
    rng = random.Random(f"zoo-pocket/corpus/{seed}")
    while True:
        yield document(rng, slips)


def _problem(rng: random.Random) -> PocketProblem:
    level = rng.choices(list(LEVEL_WEIGHTS), weights=list(LEVEL_WEIGHTS.values()))[0]
    return draw(rng, level, "train", min(OPERATIONS[level]))
