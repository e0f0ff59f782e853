"""What each kind of card may say. Frozen, strict about unknown keys, light: pydantic and nothing
else.

A field is *result-bearing* when a trial's outcome could depend on it; `zoo.manifest.identity` picks
those by name, so prose (`about`, `source`, `stand_in`) may change without renaming a run. Lengths
are in tokens unless the name says so.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FROM_CARD = "from-card"  # a recipe's word for "the model's card decides"


class Card(BaseModel):
    """What all cards share. `schema` names kind and version of the form (`model/1`)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), populate_by_name=True
    )

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    about: str = ""
    source: str = ""


class ModelCard(Card):
    """A base model: where its weights are and what it needs to answer.

    Exactly one of `embedded` (a folder of the package), `path` (a local Hugging Face folder) and
    `repo` (a hub id, with `revision`, a full commit) says where the weights are.
    """

    form: Literal["model/1"] = Field(alias="schema")
    family: str = ""
    parameters: Annotated[int, Field(ge=0)] = 0
    """Number of parameters; 0 = not stated."""
    embedded: str | None = None
    path: str | None = None
    repo: str | None = None
    revision: str | None = None
    prompt: str
    """Name of the prompt card that the model is used with unless the manifest says otherwise."""
    stop_ids: tuple[int, ...] = ()
    """Token ids that end a response beside the tokenizer's own end token."""
    cap: Annotated[int, Field(ge=1)]
    """Longest response in training, in tokens."""
    beta: Annotated[float, Field(ge=0)] = 0.0
    """KL coefficient, for recipes that say `beta: from-card`."""
    stand_in: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> ModelCard:
        given = [key for key in ("embedded", "path", "repo") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(
                "say where the weights are by exactly one of embedded, path, repo "
                f"(found {given or 'none'})"
            )
        return self


class PocketSource(BaseModel):
    """Problems made by `zoo.pocket.problems.generate(level, split, n, seed)`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: Literal["easy", "medium", "hard"]
    split: Literal["train", "test", "benchmark"]
    n: Annotated[int, Field(ge=1)]
    seed: int = 0


class Columns(BaseModel):
    """Which column of a file holds what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str = "problem"
    answer: str = "answer"
    level: str | None = None


class LocalSource(BaseModel):
    """Problems in a local jsonl or parquet file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    columns: Columns = Columns()
    gold: str = "as-is"
    """How the reference is read from the answer column: `as-is`, or an extraction policy (`gsm8k`:
    after `####`)."""


class ProblemCard(Card):
    """A set of problems, from the pocket generator or from a file."""

    pocket: PocketSource | None = None
    local: LocalSource | None = None
    stand_in: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ProblemCard:
        if (self.pocket is None) == (self.local is None):
            raise ValueError("say where the problems come from by exactly one of pocket, local")
        return self


class DataCard(ProblemCard):
    """A training set (a *bucket*)."""

    form: Literal["data/1"] = Field(alias="schema")


class BenchmarkCard(ProblemCard):
    """A held-out set, the extraction policy under which every arm is scored on it, and how many
    rows it has."""

    form: Literal["benchmark/1"] = Field(alias="schema")
    n: Annotated[int, Field(ge=1)] | None = None
    """Number of problems; a file with another number is an error. None = whatever the file has."""
    extract: str = "simplerl"


class RewardCard(Card):
    """A reward: which function of `zoo.rewards`, its numbers, and how answers are extracted for
    it."""

    form: Literal["reward/1"] = Field(alias="schema")
    kind: str
    version: int = 1
    extract: str = "simplerl"
    params: dict[str, Any] = {}


class PromptCard(Card):
    """A prompt style: plain text with one `{problem}` in it, sent as it is (no chat template)."""

    form: Literal["prompt/1"] = Field(alias="schema")
    template: str

    @model_validator(mode="after")
    def _one_hole(self) -> PromptCard:
        if self.template.count("{problem}") != 1:
            raise ValueError("a prompt template holds `{problem}` exactly once")
        return self


class Batch(BaseModel):
    """Geometry of a round: `prompts` x `num_generations` completions, split into `updates`
    optimiser updates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: Annotated[int, Field(ge=1)]
    num_generations: Annotated[int, Field(ge=2)]
    updates: Annotated[int, Field(ge=1)] = 1

    @model_validator(mode="after")
    def _even_updates(self) -> Batch:
        if self.prompts % self.updates:
            raise ValueError(
                f"prompts ({self.prompts}) must be a multiple of updates ({self.updates})"
            )
        return self

    @property
    def completions(self) -> int:
        """Completions a round."""
        return self.prompts * self.num_generations


class RecipeCard(Card):
    """GRPO settings under TRL's own names; `from-card` where the model's card decides (`beta`,
    `max_completion_length`)."""

    form: Literal["recipe/1"] = Field(alias="schema")
    grpo: dict[str, Any]
    batch: Batch


class ComputeProfile(Card):
    """Where trials run. Nothing here is part of an id.

    `env` is set in every trial process; `micro_batch` is the number of completions of one forward
    pass.
    """

    form: Literal["profile/1"] = Field(alias="schema")
    device: Literal["cpu", "cuda"] = "cpu"
    executor: Literal["ray", "local"] = "ray"
    concurrency: Annotated[int, Field(ge=1)] = 1
    cpus_per_trial: Annotated[float, Field(ge=0)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] = 0
    micro_batch: Annotated[int, Field(ge=1)] = 16
    gradient_checkpointing: bool = False
    engine_dtype: Literal["float32", "bfloat16", "auto"] = "float32"
    """Precision of vLLM's weights; the trainer's are float32."""
    vllm_gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)] = 0.3
    vllm_enable_sleep_mode: bool = False
    env: dict[str, str] = {}
