"""Claims."""

from __future__ import annotations

from zoo.catalog.cards import Part


class Claim(Part):
    id: str
