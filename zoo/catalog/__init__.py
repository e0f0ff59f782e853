"""The nouns: cards for models, data, rewards, recipes, benchmarks, prompts and compute profiles.

A card is one YAML file whose name is its own; its existence is its registration. Cards say what a
thing *is*; nothing here loads weights, reads problems or knows of a sweep.
"""

from zoo.catalog.cards import Batch, Card, PromptCard, RecipeCard, RewardCard, RewardCode
from zoo.catalog.index import Catalog
from zoo.catalog.model_card import Geometry, ModelCard
from zoo.catalog.problem_card import (
    BenchmarkCard,
    Columns,
    DataCard,
    Filters,
    GitSource,
    HubSource,
    LocalSource,
    PocketSource,
    ProblemCard,
    Rows,
)
from zoo.catalog.profile import ComputeProfile, Gpu

__all__ = [
    "Batch",
    "BenchmarkCard",
    "Card",
    "Catalog",
    "Columns",
    "ComputeProfile",
    "DataCard",
    "Filters",
    "Geometry",
    "GitSource",
    "Gpu",
    "HubSource",
    "LocalSource",
    "ModelCard",
    "PocketSource",
    "ProblemCard",
    "PromptCard",
    "RecipeCard",
    "RewardCard",
    "RewardCode",
    "Rows",
]
