"""What can go wrong, as one small tree. Every message says the place, what was found, what was
expected, what to do.

`InputError` carries *all* faults of an input at once. The command line turns each class into its
exit code: 2 for bad input, 1 for the rest. Exceptions stay picklable (they cross processes).
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with an input: `place` is `file:line:col` or a path of keys, `source` the
    line with a caret."""

    place: str
    found: str
    expected: str = ""
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.found}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.hint:
            text += f"; {self.hint}"
        return text + (f"\n{self.source}" if self.source else "")


class ZooError(Exception):
    """Base of every error that zoo raises on purpose."""

    exit_code = 1


class InputError(ZooError):
    """The user's input is wrong; nothing was started and nothing was written."""

    exit_code = 2

    def __init__(self, faults: list[Fault] | Fault | str) -> None:
        if isinstance(faults, str):
            faults = Fault(place="input", found=faults)
        self.faults = faults if isinstance(faults, list) else [faults]
        super().__init__(self.faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class StateError(ZooError):
    """What lies on disk cannot be trusted or does not fit; says which file and what to do."""


class FetchError(ZooError):
    """Something could not be downloaded; says from where, why, and what to do."""


class TrialError(ZooError):
    """A trial cannot go on; `failure_class` says why, in the words of the record."""

    def __init__(self, failure_class: str, message: str) -> None:
        self.failure_class = failure_class
        super().__init__(failure_class, message)

    def __str__(self) -> str:
        return f"{self.args[1]} [{self.failure_class}]"


def did_you_mean(word: str, known: list[str]) -> str:
    """A suggestion for a misspelt `word`, or an empty text."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"did you mean '{close[0]}'?" if close else ""
