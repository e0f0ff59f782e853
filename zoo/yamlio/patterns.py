"""Patterns of texts in manifests and cards."""

from __future__ import annotations

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
COMMIT = r"^[0-9a-f]{40}$"  # a full commit; short ones move
TEXT = r"\S"  # a text that is not empty
