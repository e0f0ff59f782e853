"""Prompt tokens are counted before a sweep starts; a plan shows the counts so far.

A prompt and the longest response to it must fit the model's context together. Prompts that do not
fit are refused before anything starts; the longest prompt of a trial sizes its engine.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from zoo.catalog import ModelCard, ProblemCard, PromptCard
from zoo.catalog.model_config import context_of
from zoo.data import render
from zoo.data.prompts import Longest, PromptLengths
from zoo.data.resolve import model_folder, read_json
from zoo.errors import Fault, InputError, listed
from zoo.lint.card_warnings import CAP, Prompts, max_tokens_of
from zoo.planning.study import Study
from zoo.trials.trial import Trial

LONG_S = 2.0  # after which a word is said


@dataclass(frozen=True, slots=True)
class Use:
    """One set of problems as prompts to one model."""

    model: ModelCard
    card: ProblemCard
    prompt: PromptCard
    first: int | None
    """Only the first so many problems; None = all."""
    cap: int
    """Longest response, in tokens."""
    cap_key: str
    """The setting that defines `cap`."""

    @property
    def prompts(self) -> tuple[ModelCard, ProblemCard, PromptCard, int | None]:
        """What is measured."""
        return self.model, self.card, self.prompt, self.first


def measured(trials: Iterable[Trial], study: Study) -> dict[str, int]:
    """Trial id -> tokens of its longest prompt, of real trials; counts those that are not counted
    yet.

    Raises:
        InputError: prompts that do not fit the context together with their responses. Nothing is
            written then.
    """
    lengths, begun = PromptLengths(study.resolver), time.monotonic()
    groups, found = _groups(trials), dict[str, int]()
    faults: list[Fault] = []
    bounds: dict[str, int] = {}
    no_room: dict[tuple[str, str, int, int], int] = {}
    for i, same in enumerate(groups):
        if time.monotonic() - begun > LONG_S:
            click.echo(f"counting prompt tokens: {same[0].model.name} ({i + 1} of {len(groups)})")
        longest = [(use, lengths.measure(*use.prompts)) for use in uses(same[0])]
        for use, prompt in longest:
            if not prompt.exact:
                bounds[use.model.name] = max(prompt.tokens, bounds.get(use.model.name, 0))
            elif (context := _overrun(use, prompt)) and context > use.cap:
                faults.append(_fault(use, prompt, context, lengths, study))
            elif context:  # of all its sets, what the longest prompt leaves is told
                key = (use.model.name, use.cap_key, use.cap, context)
                no_room[key] = max(prompt.tokens, no_room.get(key, 0))
        tokens = max((prompt.tokens for _, prompt in longest), default=0)
        found |= dict.fromkeys((trial.id for trial in same), tokens)
    faults += [_no_room(*key, tokens) for key, tokens in no_room.items()]
    if faults:
        raise InputError(list(dict.fromkeys(faults)))
    lengths.save()
    for name, tokens in bounds.items():
        click.echo(
            f"model {name}: prompts cannot be counted in tokens (no tokenizer.json); taken as "
            f"{tokens:,} at most, by their bytes"
        )
    return found


def known(trials: Iterable[Trial], study: Study) -> Iterator[tuple[Use, Longest | None]]:
    """Each use of a set by real trials, and its longest prompt where counted. Light."""
    lengths = PromptLengths(study.resolver)
    distinct: dict[tuple[Any, ...], Use] = {}
    for same in _groups(trials):
        for use in uses(same[0]):
            names = (use.model.name, type(use.card), use.card.name, use.prompt.name)
            distinct.setdefault((*names, use.first, use.cap), use)
    yield from ((use, lengths.known(*use.prompts)) for use in distinct.values())


def uses(trial: Trial) -> Iterator[Use]:
    """The sets of problems that a trial sends to its model, and to its base where that is another
    one."""
    if trial.trainer != "external":
        yield Use(trial.model, trial.data, trial.prompt, None, trial.cap, CAP)
    for model in {m.name: m for m in (trial.model, trial.start)}.values():
        for e in trial.evaluations:
            cap = e.decoding.max_tokens
            key = max_tokens_of(e.decoding_name) if cap else CAP
            yield Use(model, e.benchmark, trial.prompt, e.problems, cap or trial.cap, key)


def remembered(trials: Iterable[Trial], study: Study) -> tuple[dict[str, int], Prompts]:
    """Prompt lengths counted so far, for placement and for warnings. Light.

    Returns:
        Trial id -> tokens of its longest prompt, where all of its sets were counted; and by the
        setting that limits the responses, where the count is exact.
    """
    lengths = PromptLengths(study.resolver)
    whole: dict[str, int] = {}
    settings: dict[str, dict[str, int]] = {}
    for same in _groups(trials):
        found = [(use, lengths.known(*use.prompts)) for use in uses(same[0])]
        longest = [prompt.tokens for _, prompt in found if prompt]
        by: dict[str, list[int | None]] = {}
        for use, prompt in found:
            exact = prompt.tokens if prompt and prompt.exact else None
            by.setdefault(use.cap_key, []).append(exact)
        known = {key: max(filter(None, of)) for key, of in by.items() if None not in of}
        for trial in same:
            settings[trial.id] = known
            if len(longest) == len(found):
                whole[trial.id] = max(longest)
    return whole, settings


def line(trials: Iterable[Trial], study: Study) -> str:
    """The longest prompt of a plan in words; empty where no trial is real."""
    rows = list(known(trials, study))
    found = [(use, prompt) for use, prompt in rows if prompt is not None]
    if not found:
        return "not counted in tokens yet; a sweep does it before it starts" if rows else ""
    use, longest = max(found, key=lambda row: row[1].tokens)
    text = f"longest {longest.tokens:,} tokens ({use.card.name}, {use.model.name})"
    if left := len(rows) - len(found):
        text += f"; {left:,} of {len(rows):,} sets and models not counted yet"
    if over := [use for use, prompt in found if prompt.exact and _overrun(use, prompt)]:
        names = listed(f"{use.card.name} ({use.model.name})" for use in over)
        text += f"; too long with its response, so a sweep refuses it: {names}"
    return text


def rows(trials: Iterable[Trial], study: Study) -> list[dict[str, Any]]:
    """Prompt lengths for JSON output; null where not counted."""
    return [
        {
            "model": use.model.name,
            "set": use.card.name,
            "prompt": use.prompt.name,
            "problems": use.first,
            "cap": use.cap,
            "tokens": prompt.tokens if prompt else None,
            "problem": prompt.id if prompt else None,
        }
        for use, prompt in known(trials, study)
    ]


def _overrun(use: Use, prompt: Longest) -> int | None:
    """The model's context where a prompt and its response may not fit it, as a trial would read it;
    None where they do."""
    config = read_json(model_folder(use.model) / "config.json") or {}
    context = context_of(config) or use.model.context
    return context if context and prompt.tokens + use.cap > context else None


def _groups(trials: Iterable[Trial]) -> list[list[Trial]]:
    """Real trials that send the same prompts under the same caps."""
    groups: dict[tuple[Any, ...], list[Trial]] = {}
    for trial in trials:
        if not trial.simulated:
            names = (trial.model.name, trial.data.name, trial.prompt.name, trial.trainer)
            groups.setdefault((*names, trial.cap, id(trial.evaluations)), []).append(trial)
    return list(groups.values())


def _no_room(model: str, cap_key: str, cap: int, context: int, tokens: int) -> Fault:
    """A limit on responses that fills a model's context alone; `tokens`: its longest prompt."""
    found = f"responses of {cap:,} tokens leave no room for a prompt in its context of {context:,}"
    hint = f"{cap_key} of {context - tokens:,} leaves room for the longest prompt"
    expected = "room for a prompt and its response"
    return Fault(f"model {model}", found, expected, hint if tokens < context else "")


def _fault(use: Use, found: Longest, context: int, lengths: PromptLengths, study: Study) -> Fault:
    """A set whose longest prompt leaves too little room for a response, and what would help."""
    limit = context - use.cap
    wrong = (
        f"problem {found.id} is a prompt of {found.tokens:,} tokens (model {use.model.name}, "
        f"prompt {use.prompt.name}); with responses of {use.cap:,} that is over the context of "
        f"{context:,}"
    )
    hints = []
    if told := _filter_hint(use, limit, lengths, study):
        hints.append(told)
    if (room := context - found.tokens) * 4 >= use.cap:  # less is no response worth training on
        hints.append(f"{use.cap_key} of {room:,} leaves room for it")
    return Fault(use.card.name, wrong, f"at most {limit:,} tokens a prompt", "; or ".join(hints))


def _filter_hint(use: Use, limit: int, lengths: PromptLengths, study: Study) -> str:
    """The largest `max_prompt_chars` that leaves no prompt over `limit` tokens, and what it costs;
    empty where none does."""
    prompt = use.card.filters.prompt
    by = use.card.used(PromptCard, prompt) if prompt else None
    rows = [
        (len(render(by, problem) if by else problem.question), tokens)
        for problem, tokens in lengths.lengths(use.model, use.card, use.prompt)
    ]
    most = min(chars for chars, tokens in rows if tokens > limit) - 1
    lost = sum(chars > most for chars, _ in rows)
    if most < 1 or lost == len(rows):
        return ""
    where = "on its card" if use.card.name in study.catalog.names(type(use.card)) else "on a card"
    return (
        f"`filters: {{max_prompt_chars: {most}}}` {where} leaves out {lost:,} of {len(rows):,} "
        "problems"
    )
