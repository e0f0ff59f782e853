"""YAML as people mean it: the YAML 1.2 core schema, positions kept, every repeated key reported.

PyYAML alone reads `1e-6` as text, `no` as False and the last of two equal keys in silence. This
loader composes nodes with PyYAML and builds plain values itself, remembering line and column of
every key and value. Size, depth and number of nodes are bounded before anything is built, so a
hostile file costs nothing. No tags, no objects, no merge keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from zoo.errors import Fault, InputError

MAX_BYTES, MAX_NODES, MAX_DEPTH, MAX_DIGITS = 1_000_000, 20_000, 50, 1_000
KeyPath = tuple[str | int, ...]

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
    """A YAML text as plain values, with the place (line, column; from 1) of every value and key by
    its path."""

    file: str
    lines: list[str]
    data: Any = None
    values: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    keys: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    """Values that did not come from the text -> where they came from (`--set ...`)."""

    def fault(
        self, path: KeyPath, found: str, expected: str = "", hint: str = "", *, key: bool = False
    ) -> Fault:
        """A fault at the key or value of `path`, or at the nearest parent that the file has."""
        known = tuple(path)
        for n in range(len(known), 0, -1):
            if known[:n] in self.origins:
                return Fault(self.origins[known[:n]], found, expected, hint)
        table = self.keys if key else self.values
        while known and known not in table and known not in self.values:
            known = known[:-1]
        line, column = table.get(known) or self.values.get(known) or (1, 1)
        return self.fault_at(line, column, found, expected, hint)

    def fault_at(
        self, line: int, column: int, found: str, expected: str = "", hint: str = ""
    ) -> Fault:
        """A fault at a line and column, with the source line and a caret."""
        text = self.lines[line - 1].rstrip()[:160] if 0 < line <= len(self.lines) else ""
        source = f"    {text}\n    {' ' * (column - 1)}^" if text else ""
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
    try:
        return parse(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is not UTF-8"
        raise InputError(Fault(str(path), found, "a text file in UTF-8")) from error


def parse(text: str, file: str = "<text>") -> Document:
    """Build a YAML text; see `read`."""
    document = Document(file, text.splitlines())
    try:
        _bound(text, document)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise InputError(document.fault_at(*where, f"not YAML: {problem}")) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise InputError(
            document.fault_at(line, 1, f"not YAML: {error.reason} (character {error.character!r})")
        ) from error
    faults: list[Fault] = []
    if node is not None:
        document.data = _build(node, (), document, faults)
    if faults:
        raise InputError(faults)
    return document


def _bound(text: str, document: Document) -> None:
    """Refuse aliases, tags, depth and node counts before anything walks the tree."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        at = (event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            raise InputError(document.fault_at(*at, "an alias (`*name`)", "the value written out"))
        if isinstance(event, yaml.DocumentStartEvent) and nodes:
            raise InputError(document.fault_at(*at, "a second document", "one document a file"))
        if tag := getattr(event, "tag", None):
            raise InputError(document.fault_at(*at, f"a tag ({tag})", "a plain value"))
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH or nodes > MAX_NODES:
            limit = f"at most {MAX_DEPTH} levels and {MAX_NODES:,} values"
            raise InputError(document.fault_at(*at, "too deep or too many values", limit))


def _build(node: yaml.Node, path: KeyPath, document: Document, faults: list[Fault]) -> Any:
    at = (node.start_mark.line + 1, node.start_mark.column + 1)
    document.values[path] = at
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node, at, document, faults)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, i), document, faults) for i, item in enumerate(node.value)]
    built: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key_at = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        if not isinstance(key_node, yaml.ScalarNode):
            faults.append(document.fault_at(*key_at, "a key that is no plain word", "a word"))
            continue
        key = key_node.value
        if key in built:
            first = document.keys[(*path, key)][0]
            faults.append(
                document.fault_at(*key_at, f"'{key}' again", hint=f"first given on line {first}")
            )
            continue
        document.keys[(*path, key)] = key_at
        built[key] = _build(value_node, (*path, key), document, faults)
    return built


def _scalar(
    node: yaml.ScalarNode, at: tuple[int, int], document: Document, faults: list[Fault]
) -> Any:
    text = node.value
    if node.style is not None:  # quoted or block: text, as written
        return text
    if text in _WORDS:
        return _WORDS[text]
    if not _INT.fullmatch(text):
        return float(text) if _FLOAT.fullmatch(text) else text
    if len(text) > MAX_DIGITS:
        faults.append(document.fault_at(*at, "a whole number that is too long", "quotes, if text"))
        return None
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
