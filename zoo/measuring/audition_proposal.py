"""The proposal of a probe: prompt, stop ids, max response length and bucket from its results, each
with the evidence that is written next to it in the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from zoo.catalog import ModelCard, PromptCard
from zoo.data import model_folder
from zoo.data.prompts import TOKENIZER
from zoo.evals import depth, probing
from zoo.evals.depth import Answered, Response
from zoo.evals.probing import Follower, TextOf
from zoo.evals.stages import Measurement
from zoo.grading import Item
from zoo.measuring.eval_command import Work
from zoo.render.card_text import Proposal
from zoo.render.eval_text import percent
from zoo.stats.jackknife import JackknifeEstimate

SAMPLED = "t1.0"
"""The decoding under which training samples."""


@dataclass(frozen=True)
class Probe:
    """One prompt on one bucket under one decoding."""

    prompt: PromptCard
    bucket: str
    decoding: str
    measured: Measurement
    problems: list[Answered]
    golds: list[str]

    @property
    def responses(self) -> list[Response]:
        """All responses."""
        return [response for problem in self.problems for response in problem.responses]


@dataclass(frozen=True)
class Verbatim:
    """How many questions of a set the model completes to the letter."""

    name: str
    asked: int
    completed: int


def propose(
    work: Work,
    card: ModelCard,
    found: Sequence[Probe],
    limit: int,
    verbatim: Sequence[Verbatim],
    *,
    simulated: bool,
) -> Proposal:
    """The proposal from the measurements. `limit`: the longest response of the probe, in tokens;
    `simulated`: there are no token ids."""
    prompt, why_prompt = _prompt(card, found)
    own = [probe for probe in found if probe.prompt.name == prompt.name]
    responses = [response for probe in own for response in probe.responses]
    file = model_folder(card) / TOKENIZER
    followers: list[Follower] = []
    text_of: TextOf = str
    if file.is_file() and not simulated:
        from zoo.data.tokens import decoder

        text_of = decoder(file)
        followers = probing.followers(responses, text_of, card.eos_ids)
    stop_ids, why_stop = _stop_ids(work, own, followers, text_of)
    context = card.context or limit * 4
    lengths = [replace(r, length=probing.cut_at(r, stop_ids) or r.length) for r in responses]
    cap = probing.cap(lengths, context // 2)
    bucket, why_bucket = _bucket_choice(own)
    long = sum(response.finish == "length" for response in responses) / max(len(responses), 1)
    why_cap = (
        f"room for twice the length of 99 % of the right responses; {100 * long:.0f} % of all ran "
        f"into the probe's {limit} tokens"
        if cap
        else f"no right response to go by: the card's own (probed with {limit} tokens)"
    )
    return Proposal(
        prompt=prompt.name,
        stop_ids=stop_ids,
        cap=cap or card.cap,
        bucket=bucket,
        reasons={"prompt": why_prompt, "stop_ids": why_stop, "cap": why_cap, "bucket": why_bucket},
        notes=[verbatim_text(one) for one in verbatim],
    )


def _prompt(card: ModelCard, found: Sequence[Probe]) -> tuple[PromptCard, str]:
    """The prompt with the most right responses at temperature 1, where training starts. The card's
    own stays where the other's lead may be chance."""
    sampled: dict[str, list[Probe]] = {}
    for probe in found:
        if probe.decoding == SAMPLED:
            sampled.setdefault(probe.prompt.name, []).append(probe)
    whole = {name: [p for one in own for p in _named(one)] for name, own in sampled.items()}
    share = {name: depth.avg(problems) for name, problems in whole.items()}
    best = max(share, key=lambda name: share[name].value or 0.0)
    own = card.prompt if card.prompt in share else best
    lead = probing.gain(whole[own], whole[best])
    if best != own and (lead.low is None or lead.low <= 0):
        best_text = f"{best} leads by {_points(lead)}, which may be chance"
        best = own
    elif best != own:
        best_text = f"leads {own}, the card's, by {_points(lead)}"
    else:
        best_text = "none has more right responses"
    text = f"{percent(share[best].row())} % right at temperature 1; {best_text}"
    return sampled[best][0].prompt, text


def _named(probe: Probe) -> list[Answered]:
    """Its problems, with the bucket in their ids: buckets may share problems."""
    return [replace(problem, id=f"{probe.bucket}/{problem.id}") for problem in probe.problems]


def _points(estimate: JackknifeEstimate) -> str:
    value, low, high = (100 * (x or 0.0) for x in (estimate.value, estimate.low, estimate.high))
    return f"{value:.1f} points ({low:.1f} to {high:.1f})"


def _stop_ids(
    work: Work, own: Sequence[Probe], followers: Sequence[Follower], text_of: TextOf
) -> tuple[tuple[int, ...], str]:
    """Tokens that end a response, tested on the stored responses: cut there and graded
    again, as many must be right."""
    ids = tuple(follower.id for follower in followers if follower.proposed)
    said = [
        f"{f.id} {f.text!r} follows {f.follows} of {f.of} answers that go on, and comes before "
        f"the answer in {f.before} of {f.right} right responses"
        for f in followers
        if f.proposed
    ]
    if not ids:
        return (), "no token of text follows many answers and is never needed before one"
    right = after = tokens = left = 0
    for probe in own:
        cut = [
            (probe.golds[at], response, n)
            for at, problem in enumerate(probe.problems)
            for response in problem.responses
            if (n := probing.cut_at(response, ids)) is not None
        ]
        items = [Item(gold, text_of(probing.ids_of(r)[:n])) for gold, r, n in cut]
        results = work.graders("simplerl").grade(items).results
        right += sum(r.correct for _, r, _ in cut)
        after += sum(result.verdict.correct for result in results)
        tokens += sum(response.length or 0 for response in probe.responses)
        left += sum(n - (r.length or 0) for _, r, n in cut)
    gain = f"with them {after - right:+d} right and {100 * left / max(tokens, 1):+.0f} % tokens"
    if after < right:
        return (), f"none: cut at {', '.join(said)}, {right - after} right responses are lost"
    return ids, f"{'; '.join(said)}; {gain}"


def _bucket_choice(own: Sequence[Probe]) -> tuple[str, str]:
    """The bucket with the most groups that GRPO learns from."""
    mixed = {p.bucket: depth.mixed_groups(p.problems) for p in own if p.decoding == SAMPLED}
    best = max(mixed, key=lambda name: mixed[name].value or 0.0)
    text = ", ".join(f"{name} {percent(one.row())} %" for name, one in mixed.items())
    return best, f"groups with right and wrong responses: {text}"


def verbatim_text(one: Verbatim) -> str:
    """A line on memorised questions."""
    if not one.asked:
        return f"{one.name}: no question is long enough to have its rest completed"
    return (
        f"{one.name}: completes {one.completed} of {one.asked} questions to the letter from their "
        "first 60 %"
    )
