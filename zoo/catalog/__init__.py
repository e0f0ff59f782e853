"""The nouns: cards for models, data, rewards, recipes, benchmarks, prompts and compute profiles.

A card is one YAML file whose name is its own; its existence is its registration. Cards say what a
thing *is*; nothing here loads weights, reads problems or knows of a sweep.
"""

from zoo.catalog.cards import (
    BenchmarkCard,
    Card,
    ComputeProfile,
    DataCard,
    LocalSource,
    ModelCard,
    PocketSource,
    PromptCard,
    RecipeCard,
    RewardCard,
)
from zoo.catalog.index import Catalog

__all__ = [
    "BenchmarkCard",
    "Card",
    "Catalog",
    "ComputeProfile",
    "DataCard",
    "LocalSource",
    "ModelCard",
    "PocketSource",
    "PromptCard",
    "RecipeCard",
    "RewardCard",
]
