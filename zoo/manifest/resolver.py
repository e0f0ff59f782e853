"""What expansion asks about the world beyond the cards: digests of what lies behind them."""

from __future__ import annotations

from typing import Protocol

from zoo.catalog import BenchmarkCard, DataCard, ModelCard
from zoo.manifest.identity import UNPINNED


class Resolver(Protocol):
    """Says what lies behind a card: digests by content, `unpinned` where that is not known without
    fetching."""

    def model(self, card: ModelCard) -> str:
        """Digest of the model's files."""
        ...

    def problems(self, card: DataCard | BenchmarkCard) -> str:
        """Digest of the normalised problems."""
        ...


class Unpinned:
    """Knows nothing: every digest is `unpinned`."""

    def model(self, card: ModelCard) -> str:
        return UNPINNED

    def problems(self, card: DataCard | BenchmarkCard) -> str:
        return UNPINNED
