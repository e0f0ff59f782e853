r"""Pretraining text for the pocket models: right and wrong, boxed and plain, short and without an end.

What makes a pocket model behave as a base model does:

1. the *style* of an answer (stepwise, guessed, rambling; boxed or plain) depends on how the question is worded, so the
   most likely style is right for some questions only and reinforcement learning has something to find;
2. stepwise answers slip now and then, guesses are mostly wrong, rambling hardly ever ends;
3. every fifth document chains questions until the context is full, so the model does not know when to stop.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from zoo.pocket.problems import LEVELS, PocketProblem, Step, draw

SEPARATOR = "\n\n"  # between the questions of a chain; a document that ends in it has no end of its own
PROMPT = "Question: {}\nAnswer:"
CHAIN_SHARE = 0.20  # documents that go on asking and answering until the context is full
SLIP = 0.08  # a stepwise answer makes a slip in this share of its steps
GUESS_RIGHT = 0.25  # a guess is right in this share
CHECK = 0.10  # a stepwise answer checks its last step in this share
RAMBLE_END = 0.05  # a rambling answer comes to an end after this share of its sentences


@dataclass(frozen=True, slots=True)
class Style:
    """How questions of one wording are answered: shares of stepwise and guessed (the rest rambles), and of boxes."""

    stepwise: float
    guess: float
    boxed: float


STYLES = (  # one a wording of `problems.WORDINGS`
    Style(stepwise=0.46, guess=0.36, boxed=0.70),
    Style(stepwise=0.22, guess=0.60, boxed=0.30),
    Style(stepwise=0.42, guess=0.36, boxed=0.35),
    Style(stepwise=0.22, guess=0.26, boxed=0.60),
)

RAMBLES = (
    " Let me think about this.",
    " We have {a} and {b}.",
    " There are many ways to see it.",
    " I will start again.",
    " Numbers like {a} come up a lot.",
    " So what do we know?",
)


def slip(rng: random.Random, result: int) -> int:
    """A wrong number near `result`, as a careless person would write it."""
    while True:
        wrong = result + rng.choice((-10, -2, -1, 1, 2, 10, rng.randint(-30, 30)))
        if wrong >= 0 and wrong != result:
            return wrong


def stepwise(rng: random.Random, problem: PocketProblem, slips: float) -> tuple[str, int]:
    """Work through the steps, carrying every slip on; returns the text and the answer that it reaches."""
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
    """Talk about the question, hardly ever to an end."""
    numbers = {"a": problem.steps[0].left, "b": problem.steps[-1].right}
    text = ""
    while len(text) < 200 and rng.random() >= RAMBLE_END:
        text += rng.choice(RAMBLES).format(**numbers)
    return text


def answer(rng: random.Random, problem: PocketProblem, slips: float = SLIP) -> str:
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
        text = ramble(rng, problem) + " It is"
        value = slip(rng, value)
    return text + (f" \\boxed{{{value}}}." if rng.random() < style.boxed else f" {value}.")


def document(rng: random.Random, slips: float = SLIP, chars: int = 200) -> str:
    """One pretraining document; a chained one goes on past `chars` characters and ends in `SEPARATOR`."""
    chained = rng.random() < CHAIN_SHARE
    text = ""
    while True:
        problem = draw(rng, rng.choice(LEVELS), "train")
        text += PROMPT.format(problem.question) + answer(rng, problem, slips)
        if not chained:
            return text
        text += SEPARATOR
        if len(text) > chars:
            return text


def documents(seed: str, slips: float = SLIP) -> Iterator[str]:
    """An endless stream of documents, the same for the same seed."""
    rng = random.Random(f"zoo-pocket/corpus/{seed}")
    while True:
        yield document(rng, slips)
