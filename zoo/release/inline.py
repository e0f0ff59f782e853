"""The source of functions of zoo with all that they use of their modules, for a self-contained
script.

Names are followed through the modules of one package: functions, classes and constants at the top
level of a module are included, each defined before it is used. Names from other packages become
imports.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Inlined:
    """Source of functions, and the imports that it needs, one statement a line."""

    imports: tuple[str, ...]
    source: str


def inlined(functions: Iterable[Callable[..., Any]], package: str) -> Inlined:
    """The source of `functions` and of what they use within `package`, which is all of their
    modules'."""
    inliner = _Inliner(package)
    for function in functions:
        inliner.take(function.__module__, function.__name__)
    plain = [f"import {name}" for name in sorted(inliner.imports.pop("", ()))]
    named = [f"from {m} import {', '.join(sorted(n))}" for m, n in sorted(inliner.imports.items())]
    return Inlined((*plain, *named), "\n\n\n".join(inliner.parts))


@dataclass
class _Inliner:
    package: str
    parts: list[str] = field(default_factory=list)
    imports: dict[str, set[str]] = field(default_factory=dict)
    """Names by the module that they are imported from; "" = modules."""
    _taken: set[tuple[str, str]] = field(default_factory=set)

    def take(self, module: str, name: str) -> None:
        """Add what a module calls `name`, after what it uses."""
        if (module, name) in self._taken:
            return
        self._taken.add((module, name))
        source, top = _module(module)
        node = top.get(name)
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, name)
        elif node is not None:
            for used in (n.id for n in ast.walk(node) if isinstance(n, ast.Name)):
                self.take(module, used)
            self.parts.append(_segment(source, node))

    def _import(self, node: ast.Import | ast.ImportFrom, name: str) -> None:
        alias = next(a for a in node.names if (a.asname or a.name) == name)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(self.package):
            self.take(str(node.module), alias.name)
            return
        origin = str(node.module) if isinstance(node, ast.ImportFrom) else ""
        text = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
        self.imports.setdefault(origin, set()).add(text)


@cache
def _module(name: str) -> tuple[str, dict[str, ast.stmt]]:
    """The source of a module, and its statements at the top level by the name that they bind."""
    source = inspect.getsource(importlib.import_module(name))
    found: dict[str, ast.stmt] = {}
    for node in ast.parse(source).body:
        for bound in _bound(node):
            found[bound] = node
    return source, found


def _bound(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name for alias in node.names]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    return []


def _segment(source: str, node: ast.stmt) -> str:
    """The lines of a statement, with its decorators."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    first = min([node.lineno, *(d.lineno for d in decorators)])
    return "\n".join(source.splitlines()[first - 1 : node.end_lineno])
