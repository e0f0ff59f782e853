"""Where the real problems lie that some tests read: `ZOO_DATA`, else `../shared/data` beside the
repository. They are no part of it; tests skip where they are absent."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("ZOO_DATA") or ROOT.parent / "shared" / "data")
needs_real_data = pytest.mark.skipif(
    not (FOLDER / "raw").is_dir(), reason=f"no real problems at {FOLDER} (ZOO_DATA moves it)"
)


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of a jsonl file."""
    with (FOLDER / name).open(encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
