"""A base model as a card: where its weights are, its prompt and limits, and its size.

Also a checkpoint that was trained elsewhere from a base model (`base`, `trained`): the "after" of a
study without training.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from zoo.catalog.cards import DISTINCT, Card, Count, Part, TokenId
from zoo.yamlio.patterns import COMMIT

PLACES = ("embedded", "path", "repo", "random_weights")
RANDOM = "-random-weights"


class Geometry(Part):
    """Layer geometry out of a model's `config.json`: what memory depends on."""

    layers: Count
    hidden: Count
    heads: Count
    """Query heads."""
    kv_heads: Count
    head_dim: Count
    ffn: Count
    """Width of the feed-forward layer (`intermediate_size`)."""
    vocab: Count
    tied: bool = False
    """Whether the output layer is the embedding."""

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values a token at 16 bits."""
        return 2 * 2 * self.layers * self.kv_heads * self.head_dim


class ResponseLength(Part):
    """Mean tokens of a response at temperature 1.0, for the cost model."""

    base: Annotated[float, Field(gt=0)]
    """Of the base model."""
    trained: Annotated[float, Field(gt=0)]
    """Averaged over a training run of the study's length."""


class Trained(Part):
    """Who trained a checkpoint, and how."""

    by: str
    reward: str
    data: str
    rounds: Count


class RandomWeights(Part):
    """An architecture whose weights are drawn at random, for tests of size and speed where the
    trained ones are not to be had."""

    config: dict[str, Any]
    """The architecture, as in `config.json`."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """Of the draw."""


class ModelCard(Card):
    """A base model.

    Exactly one of `embedded` (a folder of the package), `path` (a local Hugging Face folder),
    `repo` (a hub id, with `revision`, a full commit) and `random_weights` states where the weights
    are.
    """

    form: Literal["model/1"] = Field(alias="schema")
    family: str = ""
    """Such as `qwen2.5-math`; the plan warns of claims that rest on models of one family."""
    parameters: Annotated[int, Field(ge=0)] = 0
    """Number of parameters; 0 = not stated."""
    geometry: Geometry | None = None
    """Shape of its layers; None = read from its `config.json` where that is here."""
    embedded: str | None = None
    """A folder of the package; only the pocket models have one."""
    path: str | None = None
    """Absolute, or relative to the folder of the card's file."""
    repo: str | None = None
    """`org/name` on the hub."""
    revision: Annotated[str, Field(pattern=COMMIT)] | None = None
    """Full commit of `repo`; None = not pinned: plans show it, a sweep refuses it
    (`zoo models pin`)."""
    gated: bool = False
    """Whether the hub requires an accepted licence and a token."""
    license: str = ""
    """Licence of the weights."""
    trust_remote_code: bool = False
    """Whether Python code of the repository may run; needs `repo` and `revision`."""
    random_weights: RandomWeights | None = None
    """Weights that `zoo models fetch` draws; the card's name then ends in `-random-weights`, so
    that every id, table and report shows it."""
    base: str | None = None
    """Card of the base model that this checkpoint was trained from."""
    trained: Trained | None = None
    """Who trained a checkpoint, and how."""
    context: Count | None = None
    """Longest sequence that the model supports, in tokens; None = not stated."""
    prompt: str
    """Name of the prompt card that the model is used with unless the manifest overrides it."""
    stop_ids: Annotated[tuple[TokenId, ...], DISTINCT] = ()
    """Token ids that end a response, in addition to the tokenizer's end token."""
    eos_ids: tuple[int, ...] = ()
    """The end tokens that the model's own files name; () = not stated."""
    cap: Count
    """Longest response in training, in tokens."""
    beta: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """KL coefficient, for recipes with `beta: from-card`."""
    response: ResponseLength | None = None
    """Lengths of responses, for the cost model."""
    origin: dict[
        Literal["prompt", "stop_ids", "eos_ids", "cap", "beta", "context", "geometry", "response"],
        Annotated[str, Field(pattern=r"^(paper|code|issue|measured|config|memory|choice)\b")],
    ] = {}
    """Where a value came from: `paper`, the study's `code`, an `issue` thread, `measured`, the
    model's `config`, from `memory` (not checked), or a `choice` of ours; then the exact source."""
    traps: tuple[str, ...] = ()
    """Known pitfalls of this model."""
    stand_in: str | None = None
    """The pocket model that replaces it in a rehearsal."""

    @model_validator(mode="after")
    def _one_place(self) -> ModelCard:
        given = [key for key in PLACES if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(
                f"state where the weights are by exactly one of {', '.join(PLACES)} "
                f"(found {given or 'none'})"
            )
        if bool(self.random_weights) != self.name.endswith(RANDOM):
            raise ValueError(f"a name that ends in {RANDOM} goes with random_weights alone")
        if self.random_weights and not (self.eos_ids and self.geometry and self.context):
            raise ValueError("random_weights needs geometry, context and eos_ids")
        if self.trust_remote_code and not (self.repo and self.revision):
            raise ValueError("trust_remote_code needs repo and revision, a full commit")
        return self

    @property
    def pinned(self) -> bool:
        """Whether the weights are pinned: local ones by content, a hub's by commit."""
        return self.repo is None or self.revision is not None
