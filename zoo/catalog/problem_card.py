"""Sets of problems as cards: training sets (*buckets*) and benchmarks, where their rows come from,
and what is dropped on the way.

A source says where rows are; filters say which are left out; the card states how many there must be
(`n` read, `kept` after the filters) and, once measured, the digest of the normalised texts. Nothing
here reads a file.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, model_validator

from zoo.catalog.cards import Card, Count, ExtractionRule, Gold, Part, PromptCard
from zoo.yamlio.patterns import COMMIT

C = TypeVar("C", bound=Card)


class PocketSource(Part):
    """Problems made by `zoo.pocket.generator.generate(level, split, n, seed)`."""

    level: Literal["easy", "medium", "hard"]
    split: Literal["train", "test", "benchmark"]
    n: Count
    seed: int = 0


class Columns(Part):
    """Which column of a file holds what; a dot goes into a column (`reward_model.ground_truth`,
    `answers.0`)."""

    problem: str = "problem"
    answer: str = "answer"
    level: str | None = None


class Rows(Part):
    """How rows of a file become problems."""

    columns: Columns = Columns()
    gold: Gold = "as-is"
    """How the reference is read from the answer column: `as-is`, `last-box` (what the last box of a
    worked solution holds), or an extraction rule (`gsm8k`: after `####`)."""


class LocalSource(Rows):
    """Problems in a local jsonl or parquet file."""

    path: str
    """Absolute, or relative to the folder of the card's file."""


class HubSource(Rows):
    """Problems in files of a dataset on the Hugging Face hub."""

    repo: str
    revision: Annotated[str, Field(pattern=COMMIT)] | None = None
    """Full commit; None = the newest at fetch time, checked by `n` and `digest`."""
    files: Annotated[tuple[str, ...], Field(min_length=1)]
    """Paths inside the dataset's repository, read in this order."""


class GitSource(Rows):
    """Problems in one file of a public GitHub repository."""

    repo: str
    """`owner/name`."""
    commit: Annotated[str, Field(pattern=COMMIT)]
    path: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Digest of the file's bytes."""


class Ingredient(Part):
    """Rows of another data card."""

    data: str
    levels: tuple[str, ...] = ()
    """Only these levels; () = all."""


class BuiltSource(Part):
    """Problems taken from other data cards, in order."""

    parts: Annotated[tuple[Ingredient, ...], Field(min_length=1)]


class Filters(Part):
    """What is left out of the rows that a source has, in this order. Every filter is counted and
    shown; 0 or empty = off."""

    empty: bool = False
    """Leave out rows without a problem or without a reference; off = such a row is an error."""
    max_prompt_chars: Annotated[int, Field(ge=0)] = 0
    """Longest prompt in characters, rendered with `prompt`; the study drops longer ones in silence
    (rl_dataset.py:L114-119)."""
    prompt: str | None = None
    """Prompt card with which `max_prompt_chars` is counted; None = the problem alone."""
    duplicates: bool = False
    """Leave out problems whose normalised text came before."""
    overlap: tuple[str, ...] = ()
    """Leave out problems whose normalised text is in one of these benchmarks."""


SOURCES = ("pocket", "local", "hub", "git", "built")


class ProblemCard(Card):
    """A set of problems, from exactly one source."""

    pocket: PocketSource | None = None
    """Problems that zoo makes."""
    local: LocalSource | None = None
    """A local file."""
    hub: HubSource | None = None
    """A data set of the hub."""
    git: GitSource | None = None
    """A file of a public GitHub repository."""
    built: BuiltSource | None = None
    """Rows of other data cards."""
    filters: Filters = Filters()
    """What is left out."""
    n: Count | None = None
    """Number of rows that the source must have; None = whatever it has."""
    kept: Count | None = None
    """Number of problems that must be left after the filters; None = whatever is left."""
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Digest of the normalised problems, where somebody measured it: planning knows the set by it
    before anything is fetched, and another set is refused."""
    license: str = ""
    """Licence of the problems."""
    stand_in: str | None = None
    """The pocket set that replaces it in a rehearsal."""
    uses: tuple[DataCard | BenchmarkCard | PromptCard, ...] = ()
    """The cards that `built` and `filters` name. Put in by the catalog, never written by hand: a
    card can then be loaded wherever it is sent."""

    @model_validator(mode="after")
    def _one_source(self) -> ProblemCard:
        if sum(getattr(self, source) is not None for source in SOURCES) != 1:
            raise ValueError(
                f"state where the problems come from by exactly one of {', '.join(SOURCES)}"
            )
        return self

    @property
    def remote(self) -> bool:
        """Whether the rows themselves lie on another machine until they are fetched."""
        return self.hub is not None or self.git is not None

    @property
    def stated_size(self) -> int | None:
        """How many problems there are at most, where the card says so."""
        return self.kept or self.n or (self.pocket.n if self.pocket else None)

    def named(self) -> list[tuple[type[Card], str, tuple[str | int, ...]]]:
        """The cards that this one names: kind, name, and where it says so."""
        parts = self.built.parts if self.built else ()
        found: list[tuple[type[Card], str, tuple[str | int, ...]]] = [
            (DataCard, part.data, ("built", "parts", i, "data")) for i, part in enumerate(parts)
        ]
        for i, name in enumerate(self.filters.overlap):
            found.append((BenchmarkCard, name, ("filters", "overlap", i)))
        if self.filters.prompt:
            found.append((PromptCard, self.filters.prompt, ("filters", "prompt")))
        return found

    def used(self, kind: type[C], name: str) -> C:
        """One of `uses`."""
        return next(card for card in self.uses if isinstance(card, kind) and card.name == name)


class DataCard(ProblemCard):
    """A training set (a *bucket*)."""

    form: Literal["data/1"] = Field(alias="schema")
    length_factor: Annotated[float, Field(gt=0)] = 1.0
    """How much longer responses get on it than on the study's own bucket, for the cost model."""


class Published(Part):
    """A number of the study, in percent."""

    before: float
    after: float


class Overlap(Part):
    """What a benchmark shares with a training set."""

    problems: Annotated[int, Field(ge=0)]
    """Of the benchmark, that are in it; 0 = none, but siblings from the same sources."""
    how: str


class BenchmarkCard(ProblemCard):
    """A held-out set, the extraction rule under which every arm is scored on it, and how many
    rows it has."""

    form: Literal["benchmark/1"] = Field(alias="schema")
    extract: ExtractionRule = "simplerl"
    samples: Count = 1
    """Responses a problem under sampled decodings; greedy takes one."""
    decoding: dict[str, Any] = {}
    """How the study measured it (`temperature`, `top_p`, `max_tokens`); said, not used: decodings
    are the manifest's."""
    published: dict[str, Published] = {}
    """Model card -> the study's Table 1."""
    overlaps: dict[str, Overlap] = {}
    """Training data that holds these problems or their siblings; the plan warns of problems that
    are trained on."""


DataCard.model_rebuild()
BenchmarkCard.model_rebuild()
