"""The schema of each kind of card. Frozen, strict about unknown keys, light: only
pydantic.

A field is *result-bearing* when a trial's outcome could depend on it; `zoo.trials.identity` lists
these fields, so prose (`about`, `source`, `stand_in`) may change without renaming a run. Lengths
are in tokens unless the name has another unit. Models, problem sets and compute profiles have their
own modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from zoo.yamlio.patterns import NAME

FROM_CARD = "from-card"  # a recipe's word for "the model's card decides"
S = TypeVar("S", bound=Sequence[int])
MAX_COUNT = 10_000_000
Count = Annotated[int, Field(ge=1, le=MAX_COUNT)]
"""A number of prompts, responses, problems or tokens; more is a slip, and costs memory."""
ExtractionRule = Literal["boxed", "simplerl", "gsm8k", "auto"]
"""How an answer is read from a response; `zoo.grading.extract` defines each rule."""
Gold = Literal["as-is", "last-box", ExtractionRule]
"""How a reference is read from an answer column."""


def _distinct(ids: S) -> S:
    if len(set(ids)) != len(ids):
        raise ValueError("token ids that differ")
    return ids


TokenId = Annotated[int, Field(ge=0, le=MAX_COUNT)]
DISTINCT = AfterValidator(_distinct)
"""For sequences without repeated values."""


class Part(BaseModel):
    """A piece of a card or manifest: frozen, no unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), defer_build=True
    )


class Card(BaseModel):
    """What all cards share. `schema` names kind and version of the form (`model/1`)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        protected_namespaces=(),
        populate_by_name=True,
        defer_build=True,  # of 30 models a command needs ten; the others are never compiled
    )

    name: str = Field(pattern=NAME)
    """The file's name without its ending."""
    about: str = ""
    """What it is, in a sentence; lists show it."""
    source: str = ""
    """Where its values come from: a paper, a file of a repository, a measurement."""


class RewardCode(Part):
    """A reward function of the user's own: its source by content, and where it lies."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the file, newlines normalised."""
    file: str | None = None
    """Absolute path of a Python file; None = an entry point."""
    entry: str | None = None
    """Name in the group of entry points `zoo.rewards`."""


class RewardCard(Card):
    """A reward: which function, its numbers, and how answers are extracted for it."""

    form: Literal["reward/1"] = Field(alias="schema")
    kind: str
    """One of `zoo.rewards.parameters.KINDS`, or the name of a reward of the user's own."""
    version: int = 1
    extract: ExtractionRule = "simplerl"
    params: dict[str, Any] = {}
    """The numbers of its kind; those that are left out have the kind's default."""
    needs_box: bool = False
    """Whether a response without a box scores lower; the plan warns where the prompt requests
    none."""
    code: RewardCode | None = None
    """The user's own function, where `kind` is none of zoo's. Put in when the card is resolved,
    never written by hand: a card can then be called wherever it is sent."""


class PromptCard(Card):
    """A prompt style: plain text with one `{problem}` in it, sent as it is (no chat template)."""

    form: Literal["prompt/1"] = Field(alias="schema")
    template: str
    asks_for_box: bool = False
    """Whether the text requests the answer in a box."""

    @model_validator(mode="after")
    def _one_hole(self) -> PromptCard:
        if self.template.count("{problem}") != 1:
            raise ValueError("a prompt template holds `{problem}` exactly once")
        return self


EntropyMean = Literal["update", "micro_batch"]


class Batch(Part):
    """Geometry of a round: `prompts` x `num_generations` completions, split into `updates`
    optimiser updates."""

    prompts: Count
    num_generations: Annotated[int, Field(ge=2, le=MAX_COUNT)]
    """Completions a prompt; one alone has no group to be compared with, so GRPO needs two."""
    updates: Count = 1
    micro_batch: Count | None = None
    """Completions of one forward pass, only for losses that depend on it (TRL's `bnpo`, an entropy
    bonus by micro-batch); None = the compute profile's, which changes no result. Part of the id
    where it is set."""

    @model_validator(mode="after")
    def _even(self) -> Batch:
        if self.prompts % self.updates:
            raise ValueError(
                f"prompts ({self.prompts}) must be a multiple of updates ({self.updates})"
            )
        if self.micro_batch and self.per_update % self.micro_batch:
            raise ValueError(
                f"micro_batch ({self.micro_batch}) must divide the {self.per_update} completions "
                "of an update"
            )
        return self

    @property
    def completions(self) -> int:
        """Completions a round."""
        return self.prompts * self.num_generations

    @property
    def per_update(self) -> int:
        """Completions an optimiser update: the effective batch."""
        return self.completions // self.updates


ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*$", max_length=200)]
ALL_LINEAR = "all-linear"


class Peft(Part):
    """LoRA: the model is frozen, and a product of two small matrices beside each linear layer is
    trained (Hu et al. 2022, arXiv:2106.09685). Names are those of the library peft, without
    `lora_`."""

    r: Annotated[int, Field(ge=0, le=4096)] = 0
    """Rank of the adapters; 0 = none, all weights are trained."""
    alpha: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = 32.0
    """What an adapter adds is scaled by alpha / r. TRL's default."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Dropout before the adapters in training; above 0, log-probabilities of the policy are noisy,
    and those of the engine are not."""
    target_modules: Literal["all-linear"] | ModuleName | list[ModuleName] = ALL_LINEAR
    """Names of the linear layers that get an adapter (the last part: `q_proj`), or `all-linear`:
    all but the output layer."""

    @field_validator("target_modules")
    @classmethod
    def _named_once(cls, names: str | list[str]) -> str | list[str]:
        if isinstance(names, list) and (not names or len(set(names)) != len(names)):
            raise ValueError("names of linear layers, each once")
        if OUTPUT_LAYER in ([names] if isinstance(names, str) else names):
            raise ValueError(
                f"other layers than {OUTPUT_LAYER}: TRL reads its weights past adapters"
            )
        return names

    @property
    def modules(self) -> tuple[str, ...]:
        """The names of target modules, sorted; () = all linear layers."""
        if self.target_modules == ALL_LINEAR:
            return ()
        names = self.target_modules
        return tuple(sorted([names] if isinstance(names, str) else names))


OUTPUT_LAYER = "lm_head"


class RecipeCard(Card):
    """GRPO settings under TRL's own names; `from-card` where the model's card decides (`beta`,
    `max_completion_length`)."""

    form: Literal["recipe/1"] = Field(alias="schema")
    grpo: dict[str, Any]
    batch: Batch
    peft: Peft = Peft()
    """LoRA; by default all weights are trained. In the id where `r` is not 0."""
    entropy_mean: EntropyMean = "update"
    """What an entropy bonus is a mean over: all tokens of an `update`, or those of each forward
    pass, as TRL has it (`micro_batch`; needs `batch.micro_batch`). In the id where there is one."""
