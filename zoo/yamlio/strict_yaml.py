"""Strict YAML: the YAML 1.2 core schema, positions kept, every repeated key reported.

PyYAML alone reads `1e-6` as text, `no` as False and the last of two equal keys in silence. This
loader builds plain values from PyYAML's events in one pass and records line and column of every key
and value. Size, depth and number of values are bounded while reading, so a hostile file costs
nothing. No tags, no aliases, no objects, no merge keys.

libyaml reads a text first, where PyYAML has it (ten times as fast). A text with any error is read
again by the pure parser, so that messages do not depend on the installation.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import yaml

from zoo.errors import Fault, InputError

MAX_BYTES, MAX_NODES, MAX_DEPTH, MAX_DIGITS = 1_000_000, 20_000, 50, 1_000
KeyPath = tuple[str | int, ...]

# Where the two parsers may differ: tabs, byte order marks, unusual line ends, directives, and a
# comment that touches the head of a block scalar.
_UNUSUAL = re.compile(
    r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
    r"|^%|[|>][-+0-9]*#",
    re.MULTILINE,
)
_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # where YAML counts a line
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf"), float("inf")),
    "-.inf": float("-inf"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}


@dataclass
class Document:
    """A YAML text as plain values, with the position (line, column; from 1) of every value and key
    by its path."""

    file: str
    lines: list[str]
    data: Any = None
    values: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    keys: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    """Values that did not come from the text -> where they came from (`--set ...`)."""
    was: dict[KeyPath, KeyPath] = field(default_factory=dict)
    """For a copy without some parts: its paths -> paths in the text."""

    def fault(
        self, path: KeyPath, found: str, expected: str = "", hint: str = "", *, key: bool = False
    ) -> Fault:
        """A fault at the key or value of `path`, or at the nearest parent that the file has."""
        known = tuple(path)
        said = self.in_text(known)
        for n in range(len(said), 0, -1):
            if said[:n] in self.origins:
                return Fault(self.origins[said[:n]], found, expected, hint)
        table = self.keys if key else self.values
        while known and known not in table and known not in self.values:
            known = known[:-1]
        line, column = table.get(known) or self.values.get(known) or (1, 1)
        return self.fault_at(line, column, found, expected, hint)

    def in_text(self, path: KeyPath) -> KeyPath:
        """The path that a value of a copy (`without`) has in the text."""
        for n in range(len(path), 0, -1):
            if path[:n] in self.was:
                return self.was[path[:n]] + path[n:]
        return path

    def without(self, paths: Collection[KeyPath]) -> Document:
        """A copy without the values at `paths`; the others keep their positions in the text."""
        copy = Document(self.file, self.lines, origins=self.origins)

        def kept(value: Any, old: KeyPath, new: KeyPath) -> Any:
            for table, places in ((copy.values, self.values), (copy.keys, self.keys)):
                if old in places:
                    table[new] = places[old]
            copy.was[new] = self.was.get(old, old)
            if isinstance(value, dict):
                inner = [(key, (*old, key)) for key in value if (*old, key) not in paths]
                return {key: kept(value[key], at, (*new, key)) for key, at in inner}
            if isinstance(value, list):
                left = [i for i in range(len(value)) if (*old, i) not in paths]
                return [kept(value[i], (*old, i), (*new, n)) for n, i in enumerate(left)]
            return value

        copy.data = kept(self.data, (), ())
        return copy

    def fault_at(
        self, line: int, column: int, found: str, expected: str = "", hint: str = ""
    ) -> Fault:
        """A fault at a line and column, with the source line and a caret."""
        text = self.lines[line - 1].rstrip() if 0 < line <= len(self.lines) else ""
        left = max(0, column - 140)  # of a long line, the part around the position
        text, before = text[left : left + 160], text[left : column - 1]
        margin = "".join(map(_blank, before)) + " " * (column - 1 - left - len(before))
        source = f"    {''.join(map(_shown, text))}\n    {margin}^" if text else ""
        return Fault(f"{self.file}:{line}:{column}", found, expected, hint, source)


def read(path: Path | str) -> Document:
    """Read and build a YAML file.

    Raises:
        InputError: no such file, not UTF-8, not YAML, too big, or repeated keys; all repeated keys
        at once.
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "check the path" if isinstance(error, FileNotFoundError) else ""
        raise InputError(
            Fault(str(path), f"cannot be read: {error.strerror}", "a YAML file", hint)
        ) from error
    if len(raw) > MAX_BYTES:
        raise InputError(Fault(str(path), "too big", f"at most {MAX_BYTES:,} bytes"))
    raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before, found = raw[: error.start].decode("utf-8"), f"the byte 0x{raw[error.start]:02x}"
        document = _empty(raw.decode("utf-8", "replace"), str(path))
        fault = document.fault_at(*_end(before), f"{found} is not UTF-8", "a text file in UTF-8")
        raise InputError(fault) from error
    return parse(text, str(path))


def parse(text: str, file: str = "<text>") -> Document:
    """Build a YAML text; see `read`."""
    if yaml.__with_libyaml__ and not _UNUSUAL.search(text):
        with suppress(yaml.YAMLError, InputError):
            return _Reader(text, file, fast=True).document()
    try:
        return _Reader(text, file, fast=False).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if error.context == "while scanning a quoted scalar":  # which does not end: it began there
            mark = error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise InputError(_empty(text, file).fault_at(*where, f"not YAML: {problem}")) from error
    except yaml.reader.ReaderError as error:
        found = f"not YAML: {error.reason} (character {text[error.position]!r})"
        fault = _empty(text, file).fault_at(*_end(text[: error.position]), found)
        raise InputError(fault) from error
    except (ValueError, OverflowError) as error:  # PyYAML decodes "\UFFFFFFFF" unchecked
        found = "not YAML: an escape that is no character"
        raise InputError(Fault(file, found)) from error


def _empty(text: str, file: str) -> Document:
    lines = _BREAK.split(text)
    return Document(file, lines if lines[-1] else lines[:-1])


def _end(text: str) -> tuple[int, int]:
    """Line and column after the last character of a text."""
    lines = _BREAK.split(text)
    return len(lines), len(lines[-1]) + 1


def _shown(character: str) -> str:
    """A character of a source line, with nothing that a terminal would obey."""
    if character != "\t" and unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp"):
        return "\ufffd"
    return character


def _blank(character: str) -> str:
    """As much space as a character takes on a terminal."""
    if character == "\t":
        return character
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in ("W", "F") else " "


class _Reader:
    """One pass over the events of a text, from libyaml (`fast`) or from the pure parser."""

    def __init__(self, text: str, file: str, *, fast: bool) -> None:
        self._document = _empty(text, file)
        self._fast = fast
        loader = yaml.CSafeLoader if fast else yaml.SafeLoader
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=loader)
        self._faults: list[Fault] = []
        self._open: list[bool] = []  # of the collections around: whether `[...]` or `{...}`
        self._values = 0

    def document(self) -> Document:
        """The text as plain values.

        Raises:
            yaml.YAMLError: not YAML.
            InputError: what this loader refuses; repeated keys all at once.
        """
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                self._document.data = self._build(self._bounded(event), ())
            elif isinstance(event, yaml.DocumentStartEvent) and self._values:
                self._refuse(event, "a second document", "one document a file")
        if self._faults:
            raise InputError(self._faults)
        return self._document

    def _next(self) -> yaml.Event:
        return self._bounded(next(self._events))

    def _bounded(self, event: yaml.Event) -> yaml.Event:
        """The event, unless it is an alias, has a tag, or lies beyond the bounds."""
        if isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            return event
        if isinstance(event, yaml.AliasEvent):
            self._refuse(event, "an alias (`*name`)", "the value written out")
        if tag := getattr(event, "tag", None):
            self._refuse(event, f"a tag ({tag})", "a plain value")
        self._values += 1
        if isinstance(event, yaml.CollectionStartEvent):
            self._open.append(bool(event.flow_style))
        if len(self._open) > MAX_DEPTH or self._values > MAX_NODES:
            limit = f"at most {MAX_DEPTH} levels and {MAX_NODES:,} values"
            self._refuse(event, "too deep or too many values", limit)
        return event

    def _refuse(self, event: yaml.Event, found: str, expected: str) -> NoReturn:
        raise InputError(self._document.fault_at(*_place(event), found, expected))

    def _build(self, event: yaml.Event, path: KeyPath) -> Any:
        document = self._document
        document.values[path] = _place(event)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                items.append(self._build(event, (*path, len(items))))
            return items
        built: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            at = _place(event)
            if not isinstance(event, yaml.ScalarEvent):
                self._fault(at, "a key that is no plain word", "a word")
                self._skip(event)
                self._skip(self._next())
            elif (key := self._text(event)) in built:
                first = document.keys[(*path, key)][0]
                self._fault(at, f"'{key}' again", hint=f"first given on line {first}")
                self._skip(self._next())
            else:
                document.keys[(*path, key)] = at
                built[key] = self._build(self._next(), (*path, key))
        return built

    def _skip(self, event: yaml.Event) -> None:
        """Pass over a value."""
        outside = len(self._open) - isinstance(event, yaml.CollectionStartEvent)
        while len(self._open) > outside:
            self._next()

    def _fault(self, at: tuple[int, int], found: str, expected: str = "", hint: str = "") -> None:
        self._faults.append(self._document.fault_at(*at, found, expected, hint))

    def _text(self, event: yaml.ScalarEvent) -> str:
        text = event.value
        if not event.style:
            # libyaml places an empty value elsewhere and takes `[a?b]`, which PyYAML refuses.
            if self._fast and (not text or ("?" in text and self._open and self._open[-1])):
                raise yaml.YAMLError("left to the pure parser")
        elif wrong := yaml.reader.Reader.NON_PRINTABLE.search(text):
            found = f"the control character {wrong[0]!r}, written as an escape"
            self._fault(_place(event), found, "text that can be printed")
        return text

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = self._text(event)
        if event.style:  # quoted or block: text, as written
            return text
        if text in _WORDS:
            return _WORDS[text]
        if not _INT.fullmatch(text):
            return float(text) if _FLOAT.fullmatch(text) else text
        if len(text) > MAX_DIGITS:
            found = "a whole number that is too long"
            self._fault(_place(event), found, "quotes, if text")
            return None
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _place(event: yaml.Event) -> tuple[int, int]:
    return (event.start_mark.line + 1, event.start_mark.column + 1)
