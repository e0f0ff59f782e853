"""Lines that are shown again and again: redrawn in place on a terminal, else those that changed."""

from __future__ import annotations

import os
import shutil
import time
from typing import TextIO

SYMBOLS = "*!>+~="
"""First characters of lines about trials; earlier ones go first where there is no room for all."""


class Screen:
    """Shows a list of lines, over the one before."""

    def __init__(self, stream: TextIO) -> None:
        self.stream, self._drawn = stream, 0
        self._before: set[str] = set()
        self._terminal = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def show(self, lines: list[str], *, last: bool = False) -> None:
        """Show them; `last`: whole, whatever the height of the terminal, as they stay on it."""
        if self._terminal:
            size = shutil.get_terminal_size()
            fitting = lines if last else fit(lines, size.columns - 1, max(4, size.lines - 1))
            up = f"\x1b[{self._drawn}F" if self._drawn else ""
            text = "".join(f"\x1b[2K{line}\n" for line in fitting)
            self.stream.write(f"{up}{text}\x1b[J")
            self._drawn = len(fitting)
        else:
            now = time.strftime("%H:%M:%S")
            new = (line for line in lines if line and line not in self._before)
            self.stream.write("".join(f"{now}  {line}\n" for line in new))
            self._before = set(lines)
        self.stream.flush()


def fit(lines: list[str], width: int, height: int) -> list[str]:
    """At most `height` of the lines, each at most `width` columns wide.

    Where not all have room, trials that run or failed are kept first, and a line counts the rest.
    """
    hidden = len(lines) - height
    if hidden > 0:
        trials = [i for i, line in enumerate(lines) if line[:2] in {f"{c} " for c in SYMBOLS}]
        by_rank = sorted(trials, key=lambda i: SYMBOLS.index(lines[i][0]))
        dropped = set(by_rank[max(0, len(trials) - hidden - 1) :])
        more = [f"  ... and {len(dropped)} more"]
        end = max(trials, default=-1) + 1
        kept = [[line for i, line in part if i not in dropped] for part in _parts(lines, end)]
        lines = (kept[0] + more + kept[1])[:height]
    return [line[:width] for line in lines]


def _parts(lines: list[str], end: int) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    numbered = list(enumerate(lines))
    return numbered[:end], numbered[end:]
