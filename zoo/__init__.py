"""zoo: a declarative orchestrator for zero-RL studies. One YAML manifest in, a judged comparison
out.

`zoo.plan(path)` gives what `zoo plan` shows, as objects. Importing `zoo` imports nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.planning.plan_report import Plan, plan

__all__ = ["Plan", "__version__", "plan"]
__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import what is exported when it is first used."""
    if name in ("Plan", "plan"):
        from zoo.planning import plan_report as module

        return getattr(module, name)
    raise AttributeError(f"module 'zoo' has no attribute '{name}'")
