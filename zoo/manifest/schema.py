"""The schema of a manifest (`schema: experiment/1`). Each field is documented at its definition.

A manifest names cards and numbers; it never names a Python path, a machine or a process. Compute is
chosen on the command line and is not part of an experiment. What requires the catalog or the axes
(names of cards, settings of TRL, cells) is checked by `zoo.planning.expand`.
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
from zoo.catalog.cards import DISTINCT, MAX_COUNT, Count, ExtractionRule, Gold, Part, TokenId
from zoo.json_text import as_mapping, one_or_more
from zoo.manifest.claim_schema import Claim
from zoo.manifest.seed_looks import SeedLooks
from zoo.manifest.thresholds import MAX_ROUNDS, Budget, Tripwire
from zoo.yamlio.patterns import NAME, TEXT
from zoo.yamlio.validate import LIST, Misplaced

Name = Annotated[str, Field(pattern=NAME)]
Text = Annotated[str, Field(pattern=TEXT)]
MAX_TRIALS = 10_000
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # what numpy takes
SeedList = Annotated[list[Seed], Field(min_length=1)]


class Open(BaseModel):
    """Base of mappings whose keys are partly the user's (axes, schedules): frozen."""

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=(), defer_build=True)


class InlineModel(Part):
    """A model without a card: any local Hugging Face folder, or `hf:org/name@commit`."""

    path: str
    """A folder, relative to the manifest; or `hf:org/name@commit` for a model of the hub."""
    prompt: str
    """Name of the prompt card."""
    name: Name | None = None
    """What tables call it; by default the last part of the path."""
    stop_ids: Annotated[list[TokenId], DISTINCT] = []
    """Token ids that end a response, in addition to the tokenizer's end token."""
    cap: Count = 512
    """Longest response in training, in tokens."""
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """KL coefficient, for recipes with `beta: from-card`."""
    base: str | None = None
    """Card of the base model that this checkpoint was trained from (`trainer: external`)."""


class InlineData(Part):
    """Problems without a card: any local jsonl or parquet file with a column map."""

    path: str
    """A file, relative to the manifest."""
    columns: Columns = Columns()
    gold: Gold = "as-is"
    """How the reference is read: `as-is`, or an extraction rule (`gsm8k`: after `####`)."""
    name: Name | None = None
    """What tables call it; by default the file's stem."""


class InlineBenchmark(InlineData):
    """A held-out set without a card."""

    extract: ExtractionRule = "simplerl"
    """Extraction rule under which every arm is scored."""


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


def _seeds_kind(value: Any) -> str:
    keys = [str(key) for key in as_mapping(value) or {}]
    numbered = bool(keys) and all(map(str.isdigit, keys))  # seeds.0=3
    return "looks" if isinstance(value, (dict, BaseModel)) and not numbered else LIST


Seeds = Annotated[
    Annotated[SeedList, Tag(LIST)] | Annotated[SeedLooks, Tag("looks")],
    Discriminator(_seeds_kind),
]


class Decoding(Part):
    """How responses are sampled for evaluation; `temperature: 0` is greedy."""

    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Count | None = None
    """Longest response in tokens; None = the model's cap."""


class Schedule(Part):
    """Which benchmarks are evaluated when: `every` N rounds, or `at` given rounds."""

    benchmarks: Annotated[list[BenchmarkRef], Field(min_length=1)]
    """Names of benchmark cards, or local files given inline."""
    problems: Count | None = None
    """Only the first so many problems of each benchmark; None = all."""
    samples: Count | None = None
    """Responses a problem under sampled decodings; None = as in the benchmark's card. Greedy
    takes one."""
    every: Count | None = None
    """Evaluate the base model and then after every so many rounds."""
    at: list[Annotated[int, Field(ge=0, le=MAX_COUNT)] | Literal["last", "last5"]] = []
    """Rounds: numbers (0 = the base model), `last` (the horizon), `last5` (the horizon and the four
    points of `watch` before it)."""
    decodings: Annotated[list[str], Field(min_length=1)] | None = None
    """Names out of `evaluate.decoding`; None = all of them."""

    @model_validator(mode="after")
    def _some_time(self) -> Schedule:
        if self.every is None and not self.at:
            raise ValueError("rounds to evaluate at: `every: ROUNDS` or `at: [0, last]`")
        return self


class Evaluate(Open):
    """What is evaluated, when, and under which decodings. Schedules have names: `watch` (for
    curves), `full` (what is compared), and any other but `eval`, `final` and `train`.

    `eval/<benchmark>/<measure>/<decoding>` is what `full` evaluates, or, where it does not cover
    the benchmark under the decoding, the largest set that reaches the last round. Another set of
    problems or samples has its schedule's name, as `watch/<benchmark>/<measure>/<decoding>`; equal
    sets are one. `eval/avgN/...` is the mean over the N benchmarks of a schedule."""

    __pydantic_extra__: dict[str, Schedule] = Field(init=False)  # type: ignore[assignment]
    watch: Schedule | None = None
    """Cheap and frequent, for curves."""
    full: Schedule | None = None
    """The numbers that are compared."""
    decoding: Annotated[dict[Name, Decoding], Field(min_length=1)] = {
        "t1.0": Decoding(temperature=1.0),
        "t0": Decoding(temperature=0.0),
    }
    """Name -> settings; an evaluation axis: it does not multiply training."""

    @property
    def schedules(self) -> dict[str, Schedule]:
        """Name -> schedule; `watch` and `full` first."""
        named = {"watch": self.watch, "full": self.full}
        found = {name: schedule for name, schedule in named.items() if schedule}
        return found | (self.__pydantic_extra__ or {})


class Axes(Open):
    """Axis -> values: `model`, `reward`, `data`, `prompt`, `recipe`, or the dotted name of a recipe
    field (`grpo.beta`, `batch.num_generations`, `peft.r`). One value needs no list."""

    model: Annotated[list[ModelRef], Field(min_length=1)] | None = None
    """Model cards, `hf:org/name@commit`, or local folders given inline."""
    reward: Annotated[list[str], Field(min_length=1)] | None = None
    """Reward cards."""
    data: Annotated[list[DataRef], Field(min_length=1)] | None = None
    """Data cards (buckets), or local files given inline."""
    prompt: Annotated[list[str], Field(min_length=1)] | None = None
    """Prompt cards, instead of each model's own."""
    recipe: Annotated[list[str], Field(min_length=1)] | None = None
    """Recipe cards, instead of the manifest's."""

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, data: Any) -> Any:
        if (axes := as_mapping(data)) is None:
            return data
        return {key: one_or_more(value) for key, value in axes.items()}

    @property
    def values(self) -> dict[str, list[Any]]:
        """Axis -> values as written; only axes that are given."""
        cards = {name: getattr(self, name) for name in Axes.model_fields}
        return {k: v for k, v in cards.items() if v is not None} | (self.__pydantic_extra__ or {})


class Exclude(Open):
    """Cells that are left out: axis values that all must match (a value, a pattern such as `qwen*`,
    or a list), and why."""

    why: Text
    """The reason; shown in the plan."""

    @property
    def match(self) -> dict[str, Any]:
        """Axis -> wanted value or values."""
        return self.__pydantic_extra__ or {}


class Include(Open):
    """One cell outside the product; axes that are not named take the first value of the axis."""

    why: str = ""
    """The reason; shown in the plan."""

    @property
    def cell(self) -> dict[str, Any]:
        """Axis -> value."""
        return self.__pydantic_extra__ or {}


class Override(Part):
    """Values that must move together: cells that match `when` get `set`."""

    when: Annotated[dict[str, Any], Field(min_length=1)]
    """Axis values that all must match; a value, a pattern such as `qwen*`, or a list."""
    set: Annotated[dict[str, Any], Field(min_length=1)]
    """Recipe fields by dotted name (`grpo.beta`, `batch.prompts`, `peft.r`), `prompt`, or
    `trainer`."""
    why: str = ""
    """The reason; shown in the plan."""


class Experiment(Part):
    """One manifest."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        defer_build=True,
    )

    form: Literal["experiment/1"] = Field(alias="schema")
    """Kind and version of this form."""
    name: Name
    """The file's name without its ending."""
    question: Text
    """The question of the study; shown first in plan and report."""
    prediction: str = ""
    """What its author expects, written down before the run."""
    recipe: str
    """Name of the recipe card."""
    grid: Axes = Axes()
    """The product of these axes is what runs, less `exclude`, plus `include`."""
    zip: list[Axes] = []
    """Axes whose values go together in pairs (one mapping, or a list of them); each pairing is one
    more factor of the product."""
    seeds: Seeds = [0]
    """Replicates of a cell; the same seed means the same prompt order in every arm. A list; or
    looks, `{start: 3, add: 2, most: 9, until: decided}`: the first look runs, and `zoo sweep NAME
    --look N` adds seeds while a claim is open."""
    rounds: Annotated[int, Field(ge=1, le=MAX_ROUNDS)]
    """Horizon; one round is one generation phase and its updates (the study's "step")."""
    final: Annotated[str, Field(pattern=r"^(last|mean-last-[1-9][0-9]*)$")] = "last"
    """How a trial's final number is formed from its evaluations; never the best one."""
    trainer: Literal["trl", "simulated", "external"] = "trl"
    """`trl` trains; `simulated` generates synthetic numbers, to try plans and reports; `external`
    trains nothing and evaluates checkpoints that were trained elsewhere (cards with `base`)."""
    grpo: dict[str, Any] = {}
    """Changes to the recipe's GRPO settings, under TRL's names."""
    batch: dict[str, Count] = {}
    """Changes to the recipe's batch geometry: `prompts`, `num_generations`, `updates`,
    `micro_batch`."""
    peft: dict[str, Any] = {}
    """Changes to the recipe's LoRA settings: `r`, `alpha`, `dropout`, `target_modules`; `r: 0`
    trains all weights."""
    overrides: list[Override] = []
    """Values that must move together, by cell."""
    exclude: list[Exclude] = []
    """Cells that are left out, each with its reason."""
    include: list[Include] = []
    """Extra cells outside the product."""
    evaluate: Evaluate = Evaluate()
    """What is evaluated when."""
    tripwires: list[Tripwire] = []
    """Lines that mark or stop a trial; no part of its id."""
    budget: Budget = Budget()
    """What the whole sweep may cost; the plan warns when it does not fit."""
    claims: list[Claim] = []
    """Expected results, stated before the run and sealed when it starts."""
    max_trials: Count = MAX_TRIALS
    """Guard against a grid that grew by mistake."""

    @field_validator("zip", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: list[int] | SeedLooks) -> list[int] | SeedLooks:
        if isinstance(seeds, list) and len(set(seeds)) != len(seeds):
            raise ValueError("seeds that differ")
        return seeds

    @model_validator(mode="after")
    def _looks_decide(self) -> Experiment:
        if self.looks and not self.claims:
            raise Misplaced("claims that looks can decide; without them, a list of seeds", "seeds")
        return self

    @property
    def looks(self) -> SeedLooks | None:
        """How seeds are added in looks; None where they are a list."""
        return self.seeds if isinstance(self.seeds, SeedLooks) else None

    @property
    def look_sizes(self) -> tuple[int, ...]:
        """Seeds of a cell at each look; () where seeds are a list."""
        return self.looks.sizes if self.looks else ()

    def seeds_at(self, look: int) -> list[int]:
        """The seeds of a look, counted from 1; all seeds where they are a list."""
        if isinstance(self.seeds, list):
            return self.seeds
        return list(range(self.seeds.sizes[look - 1]))
