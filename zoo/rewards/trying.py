"""A user's own reward, tested on a small synthetic group before anything is planned with it."""

from __future__ import annotations

import copy
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn

from zoo.catalog import RewardCard
from zoo.errors import Fault, InputError
from zoo.grading import Verdict
from zoo.rewards.base import Completion, Reward, Values, checked
from zoo.rewards.source import Source, placed

PATIENCE_S = 2.0
"""Seconds that a user's code runs before a message reports it."""
VERDICTS = tuple(Verdict)
COMPLETIONS = tuple(
    Completion(text, "boxed" in text, n_tokens, finish)
    for text, n_tokens, finish in (
        ("Two and five are seven. The answer is \\boxed{7}.", 16, "stop"),
        ("The answer is 8.", 5, "stop"),
        ("", 0, "stop"),
        ("It is \\boxed{9^{9^{9^9}}}.", 12, "stop"),
        ("\\boxed{7}", 4, "stop"),
        ("Let us go on and on and on", 64, "length"),
    )
)


@contextmanager
def attended(shown: str) -> Iterator[None]:
    """While a user's code runs: what it prints goes to standard error, after `PATIENCE_S` a message
    there names the running reward, and `os._exit` raises, since it must not end this process.
    `shown` is its name in messages.
    """
    text = f"zoo: still trying reward {shown}; Ctrl-C stops it"
    timer = threading.Timer(PATIENCE_S, print, [text], {"file": sys.stderr})
    timer.daemon = True
    timer.start()
    leave, me = os._exit, os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != me:  # a process that the code started
            leave(status)
        raise SystemExit(f"it calls os._exit({status})")

    os._exit = refuse
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os._exit = leave
        timer.cancel()


def try_out(function: Reward, card: RewardCard, source: Source) -> None:
    """Call a reward twice on one group of six completions, one of each verdict.

    Raises:
        InputError: it raises, gives anything but a list of six finite numbers or None, or gives
            others the second time.
    """
    first, second = (_values(function, card.params, source) for _ in range(2))
    if first != second:
        found = f"gives {_short(first)}, then {_short(second)} for one group and one seed"
        expected = "a pure function: any chance from `random.Random(seed)`"
        raise InputError(_fault(function, source, found, expected))


def _values(function: Reward, params: dict[str, Any], source: Source) -> Values:
    try:
        with attended(source.shown):
            given = function(list(VERDICTS), list(COMPLETIONS), copy.deepcopy(params), 0)
    except (Exception, SystemExit) as error:
        found = f"fails on a synthetic group: {type(error).__name__}: {error}"
        raise InputError(placed(source, error, found)) from error
    try:
        return checked(given, len(VERDICTS))
    except Exception as error:  # also what an odd list raises when it is read
        found = f"gives {error} on a synthetic group"
        expected = f"{len(VERDICTS)} finite numbers or None"
        raise InputError(_fault(function, source, found, expected)) from error


def _fault(function: Reward, source: Source, found: str, expected: str) -> Fault:
    name = getattr(function, "__name__", "reward")
    return source.fault(name, found, expected)


def _short(values: Values) -> str:
    return "[" + ", ".join("None" if v is None else f"{v:g}" for v in values) + "]"
