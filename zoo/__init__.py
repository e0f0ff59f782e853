"""zoo: a declarative orchestrator for zero-RL studies. One YAML manifest in, a judged comparison
out."""

__version__ = "0.2.0"
