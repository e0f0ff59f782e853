"""zoo: a declarative orchestrator for zero-RL studies. One YAML manifest in, a judged comparison
out.

`zoo.plan(path)` gives what `zoo plan` shows, `zoo.compare(name)` what `zoo compare` shows, and
`zoo.results(name)` all numbers of a sweep, as objects. Importing `zoo` imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.notebook.compared import Compared, compare
    from zoo.notebook.results import SweepResults, results
    from zoo.planning.plan_report import Plan, plan

__all__ = ["Compared", "Plan", "SweepResults", "__version__", "compare", "plan", "results"]
__version__ = "0.2.0"
_HOMES = {
    **dict.fromkeys(("Plan", "plan"), "zoo.planning.plan_report"),
    **dict.fromkeys(("Compared", "compare"), "zoo.notebook.compared"),
    **dict.fromkeys(("SweepResults", "results"), "zoo.notebook.results"),
}


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first used."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute '{name}'")
