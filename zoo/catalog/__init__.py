"""The nouns: cards for models, data, rewards, recipes, benchmarks, prompts and compute profiles.

A card is one YAML file with the card's name; the file itself registers the card. Cards describe
objects; this package loads no weights, reads no problems and is independent of sweeps.
"""

from zoo.catalog.cards import Batch, Card, Peft, PromptCard, RecipeCard, RewardCard, RewardCode
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
    "Peft",
    "PocketSource",
    "ProblemCard",
    "PromptCard",
    "RecipeCard",
    "RewardCard",
    "RewardCode",
    "Rows",
]
