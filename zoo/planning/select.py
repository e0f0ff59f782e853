"""Which trials of a plan a command line means: `--only`, and the word for a single one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

from zoo.errors import Fault, InputError, did_you_mean, listed, plain, suggestion
from zoo.trials.trial import Trial


def chosen(trials: list[Trial], only: tuple[str, ...]) -> list[Trial]:
    """The trials that fit every `AXIS=PATTERN` of `only` (`model=qwen*`, `seed=0`,
    `data=easy,hard`).

    Raises:
        InputError: no such axis, a pattern that no value fits, or no trial that fits all of them.
    """
    left, faults = trials, []
    for text in only:
        axis, equals, wanted = text.partition("=")
        known = [*dict.fromkeys(a for t in trials for a in t.cell), "seed", "id"]
        if axis not in known or not equals:
            faults.append(_no_axis(text, axis, known))
            continue
        values = [*dict.fromkeys(_value(t, axis) for t in trials)]
        patterns = wanted.split(",")
        for pattern in patterns:
            if not any(_fits(value, pattern) for value in values):
                words = [*map(plain, values)]
                hint = did_you_mean(pattern, words) or f"available: {listed(words, 12)}"
                faults.append(Fault(f"--only {text}", f"no {axis} fits '{pattern}'", hint=hint))
        left = [t for t in left if any(_fits(_value(t, axis), p) for p in patterns)]
    if faults:
        raise InputError(faults)
    if not left:
        expected = "at least one that fits all of them"
        raise InputError(Fault(f"--only {' '.join(only)}", "no trial fits", expected))
    return left


def _no_axis(text: str, axis: str, known: list[str]) -> Fault:
    expected = "AXIS=PATTERN, such as model=qwen*"
    if axis in known:
        return Fault(f"--only {text}", f"no `=PATTERN` after '{axis}'", expected)
    hint = suggestion(axis, known)
    return Fault(f"--only {text}", f"no axis '{axis}'", expected, hint)


def _value(trial: Trial, axis: str) -> Any:
    return getattr(trial, axis) if axis in ("seed", "id") else trial.cell.get(axis)


def _fits(value: Any, pattern: str) -> bool:
    """Whether a value equals the number in a pattern, or its text matches the pattern."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        with suppress(ValueError):
            return value == float(pattern)
    return fnmatchcase(plain(value), pattern)


def one_trial(
    trials: list[Trial], names: Mapping[str, str], word: str, place: str, sweep: str
) -> Trial:
    """The trial that `word` refers to: its id or short name, a part of either that matches only one
    (words beyond the first are whole, such as `prompt=boxed`), or its number in the plan, from 0.

    Args:
        names: short names by id.
        place: the source of the word, such as `--trial`.
        sweep: whose trials these are.

    Raises:
        InputError: none, or more than one.
    """
    if word.isdigit():
        if int(word) < len(trials):
            return trials[int(word)]
        hint = f"there are {len(trials)}, counted from 0"
        raise InputError(Fault(place, f"'{sweep}' has no trial {word}", hint=hint))

    def fits(trial: Trial) -> bool:
        return all(p in trial.id or p in names[trial.id].split() for p in word.split() or [word])

    found = [t for t in trials if word in (t.id, names[t.id])] or [t for t in trials if fits(t)]
    if len(found) == 1:
        return found[0]
    known = [names[t.id] for t in found or trials]
    hint = f"it fits: {listed(known, 12)}" if found else did_you_mean(word, known)
    hint = hint or f"available: {listed(known, 12)}"
    how = "more than one trial" if found else "no trial"
    raise InputError(Fault(place, f"'{word}' names {how} of '{sweep}'", hint=hint))


def some_trials(
    trials: list[Trial], names: Mapping[str, str], words: Iterable[str], place: str, sweep: str
) -> list[Trial]:
    """The trials that any of `words` refers to, in the plan's order: each word as in `one_trial`,
    or a pattern (`*box*`, `?`) that ids or short names fit.

    Raises:
        InputError: words that name no trial, and those without a pattern that name several.
    """
    found: set[str] = set()
    faults: list[Fault] = []
    for word in words:
        try:
            found |= {t.id for t in _fitting(trials, names, word, place, sweep)}
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    return [trial for trial in trials if trial.id in found]


def _fitting(
    trials: list[Trial], names: Mapping[str, str], word: str, place: str, sweep: str
) -> list[Trial]:
    if not any(c in word for c in "*?["):
        return [one_trial(trials, names, word, place, sweep)]
    found = [t for t in trials if fnmatchcase(t.id, word) or fnmatchcase(names[t.id], word)]
    if not found:
        hint = f"available: {listed([names[t.id] for t in trials], 12)}"
        raise InputError(Fault(place, f"'{word}' fits no trial of '{sweep}'", hint=hint))
    return found
