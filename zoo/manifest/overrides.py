"""`--set a.b=c`: changes on the command line, read by the same YAML rules and checked by the same
validator as the manifest itself.

A recipe field (`grpo.beta`, `batch.prompts`, `peft.r`), `prompt` and `trainer` override everything
in a manifest, so they are stored separately and applied last. Any other name is a path in the
manifest and is changed there (`rounds`, `evaluate.full.problems`, `grid.model`, `seeds`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from zoo.errors import Fault, InputError
from zoo.json_text import as_mapping
from zoo.manifest.schema import Evaluate
from zoo.yamlio import strict_yaml
from zoo.yamlio.strict_yaml import Document, KeyPath

SETTING_PARTS = ("grpo", "batch", "peft")
"""Parts of a recipe whose settings a manifest changes by dotted name."""
LAST = tuple(f"{part}." for part in SETTING_PARTS)
Node = dict[str, Any] | list[Any]
OPEN = ("grid", "zip", "when", "set")  # below these, a name may have dots of its own


def apply(document: Document, sets: Iterable[str]) -> dict[str, Any]:
    """Change `document` in place; returns the settings that are applied last, by dotted name.

    Raises:
        InputError: not `name=value`, a value that is not YAML, or a path that cannot exist.
    """
    last: dict[str, Any] = {}
    faults: list[Fault] = []
    for text in sets:
        name, equals, value = text.partition("=")
        place, name = f"--set {text}", name.strip()
        if not equals or not all(name.split(".")):
            faults.append(Fault(place, f"'{text}'", "NAME=VALUE, such as grpo.beta=0.001"))
            continue
        try:
            found = strict_yaml.parse(value, place).data
        except InputError as error:
            faults += [Fault(place, fault.found, fault.expected) for fault in error.faults]
            continue
        if name.startswith(LAST) or name == "prompt":
            last[name] = found
            document.origins["--set", name] = place
        elif (wrong := _put(document, name, found, place)) is not None:
            faults.append(Fault(place, wrong))
        elif f"{name}." in LAST:  # the whole part anew: what was said of it before is gone
            last = {key: value for key, value in last.items() if not key.startswith(f"{name}.")}
    if faults:
        raise InputError(faults)
    return last


def _put(document: Document, name: str, value: Any, place: str) -> str | None:
    """Set a value at its path; returns the error, or None."""
    if (data := as_mapping(document.data)) is None:
        return None  # the loader reports that this is not a manifest
    at: Node = data
    path: KeyPath = ()
    words = name.split(".")
    while True:
        word, words = _next(at, path, words)
        key: Any = word
        if isinstance(at, list):
            if not word.isdigit() or int(word) >= len(at):
                here = ".".join(map(str, path))
                return f"'{here}' has no entry {word}; it has {len(at)}, counted from 0"
            key = int(word)
        path = (*path, key)
        if not words:
            at[key] = value
            document.origins[path] = place
            return None
        if isinstance(at, dict) and key not in at:
            at[key] = _default(path)
            document.origins[path] = place
        inner = at[key]
        if not isinstance(inner, (dict, list)):
            return f"'{'.'.join(map(str, path))}' is {inner!r}, which has no parts"
        at = cast("Node", inner)


def _default(path: KeyPath) -> dict[str, Any]:
    """What a part is that the manifest leaves out."""
    if path != ("evaluate", "decoding"):
        return {}
    decodings = Evaluate().decoding
    return {name: said.model_dump(exclude_defaults=True) for name, said in decodings.items()}


def _next(at: Node, path: KeyPath, words: list[str]) -> tuple[str, list[str]]:
    """The next key: the longest that is there (`t1.0`), all of it below the open mappings, else one
    word."""
    if isinstance(at, dict):
        for n in range(len(words), 1, -1):
            if ".".join(words[:n]) in at:
                return ".".join(words[:n]), words[n:]
        if path and path[-1] in OPEN:
            return ".".join(words), []
    return words[0], words[1:]
