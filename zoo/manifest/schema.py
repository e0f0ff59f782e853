"""What a manifest may say (`schema: experiment/1`). Every field is documented where it stands.

A manifest names cards and numbers; it never names a Python path, a machine or a process. Compute is
chosen on the command line and is no part of an experiment.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from zoo.catalog import Columns

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class Part(BaseModel):
    """Base of everything inside a manifest: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class InlineModel(Part):
    """A model without a card: any local Hugging Face folder."""

    path: str
    prompt: str
    name: Name | None = None
    stop_ids: tuple[int, ...] = ()
    cap: Annotated[int, Field(ge=1)] = 512


class InlineData(Part):
    """Problems without a card: any local jsonl (or parquet) file with a column map."""

    path: str
    columns: Columns = Columns()
    gold: str = "as-is"
    name: Name | None = None


class InlineBenchmark(InlineData):
    """A held-out set without a card."""

    extract: str = "simplerl"


def _kind(value: Any) -> str:
    return "inline" if isinstance(value, (dict, BaseModel)) else "name"


ModelRef = Annotated[
    Annotated[str, Tag("name")] | Annotated[InlineModel, Tag("inline")], Discriminator(_kind)
]
DataRef = Annotated[
    Annotated[str, Tag("name")] | Annotated[InlineData, Tag("inline")], Discriminator(_kind)
]
BenchmarkRef = Annotated[
    Annotated[str, Tag("name")] | Annotated[InlineBenchmark, Tag("inline")], Discriminator(_kind)
]


class Decoding(Part):
    """How responses are sampled for evaluation; `temperature: 0` is greedy."""

    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Longest response in tokens; None = the model's cap."""


class Schedule(Part):
    """Which benchmarks are measured when: `every` so many rounds, or `at` given rounds (`last`,
    `last5`)."""

    benchmarks: Annotated[list[BenchmarkRef], Field(min_length=1)]
    problems: Annotated[int, Field(ge=1)] | None = None
    """Only the first so many problems of each benchmark; None = all."""
    every: Annotated[int, Field(ge=1)] | None = None
    at: list[Annotated[int, Field(ge=0)] | Literal["last", "last5"]] = []
    decodings: list[str] | None = None
    """Names out of `evaluate.decoding`; None = all of them."""

    @model_validator(mode="after")
    def _some_time(self) -> Schedule:
        if self.every is None and not self.at:
            raise ValueError("a schedule says when: `every: ROUNDS` or `at: [0, last]`")
        return self


class Evaluate(Part):
    """What is measured, when, and under which decodings."""

    watch: Schedule | None = None
    """Cheap and frequent, for curves."""
    full: Schedule | None = None
    """The numbers that are compared."""
    decoding: Annotated[dict[Name, Decoding], Field(min_length=1)] = {
        "t1.0": Decoding(temperature=1.0),
        "t0": Decoding(temperature=0.0),
    }


class Grid(BaseModel):
    """Axes: `model`, `reward`, `data`, and perhaps `prompt`, `recipe` or dotted recipe fields
    (`grpo.beta`)."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    model: Annotated[list[ModelRef], Field(min_length=1)]
    reward: Annotated[list[str], Field(min_length=1)]
    data: Annotated[list[DataRef], Field(min_length=1)]
    prompt: Annotated[list[str], Field(min_length=1)] | None = None
    recipe: Annotated[list[str], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return {
                key: value if isinstance(value, list) else [value] for key, value in data.items()
            }
        return data

    @property
    def settings(self) -> dict[str, list[Any]]:
        """Axes that are recipe fields, by dotted name."""
        return self.__pydantic_extra__ or {}


class Exclude(BaseModel):
    """Cells that are left out: axis values that all must match (a value or a list of values), and
    why."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    why: str


class Override(Part):
    """Values that must move together: cells that match `when` get `set`."""

    when: dict[str, Any]
    set: dict[str, Any]


class Experiment(Part):
    """One manifest."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, protected_namespaces=()
    )

    form: Literal["experiment/1"] = Field(alias="schema")
    name: Name
    question: str
    """What the study asks; shown first in plan and report."""
    prediction: str = ""
    """What its author expects, written down before the run."""
    recipe: str
    """Name of the recipe card."""
    grid: Grid
    """The product of these axes is what runs, less `exclude`, plus `include`."""
    seeds: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] = [0]
    """Replicates of a cell; the same seed means the same prompt order in every arm."""
    rounds: Annotated[int, Field(ge=1)]
    """Horizon; one round is one generation phase and its updates (the study's "step")."""
    final: Annotated[str, Field(pattern=r"^(last|mean-last-[1-9][0-9]*)$")] = "last"
    """How a trial's final number is formed from its evaluations."""
    trainer: Literal["trl", "simulated"] = "trl"
    grpo: dict[str, Any] = {}
    """Changes to the recipe's GRPO settings, under TRL's names."""
    batch: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Changes to the recipe's batch geometry: `prompts`, `num_generations`, `updates`."""
    overrides: list[Override] = []
    exclude: list[Exclude] = []
    include: list[dict[str, Any]] = []
    """Extra cells outside the product; axes that are not named take the grid's first value."""
    evaluate: Evaluate = Evaluate()

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int]) -> list[int]:
        if len(set(seeds)) != len(seeds):
            raise ValueError("seeds that differ")
        return seeds
