"""A trial, fully resolved: everything that a process needs to know about *what* to run, and nothing
about *where*.

This is the content of `trial.json`, and what every later layer reads. No defaults are looked up
after this point.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from zoo.catalog import Batch, BenchmarkCard, DataCard, ModelCard, Peft, PromptCard, RewardCard
from zoo.catalog.cards import EntropyMean
from zoo.manifest.metric_name import EVAL, MetricName
from zoo.manifest.schema import Decoding
from zoo.manifest.thresholds import Tripwire

Trainer = Literal["trl", "simulated", "external"]
Asked = tuple[str, str, int | None, int]
"""Benchmark, decoding, problems, responses a problem: distinguishes the evaluations of one
round."""
ALL = 10**9  # problems of a benchmark that is measured whole


class Evaluation(BaseModel):
    """One benchmark under one decoding, evaluated at `rounds` (0 = the base model)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    benchmark: BenchmarkCard
    digest: str
    """Digest of the benchmark's normalised problems, `unpinned` where it was not resolved."""
    problems: int | None
    """Only the first so many problems; None = all."""
    samples: int = 1
    """Responses a problem."""
    decoding_name: str
    decoding: Decoding
    rounds: tuple[int, ...]
    schedules: tuple[str, ...] = ()
    """Names of the schedules that need it."""
    series: str = EVAL
    """First part of its metrics' names: `eval`, or a schedule's name where another set of problems
    or samples of the benchmark is what is compared. A name alone: no part of `key` or of an id."""

    @property
    def key(self) -> str:
        """What is evaluated and under which name; another decoding or problem set is another key.
        The name counts, as benchmarks may share a stand-in; their samples are then shared too."""
        said = self.model_dump(mode="json", include={"digest", "problems", "samples", "decoding"})
        text = json.dumps([said, self.benchmark.name, self.benchmark.extract], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def asked(self) -> Asked:
        """Its key among the evaluations of a trial."""
        return self.benchmark.name, self.decoding_name, self.problems, self.samples

    @property
    def size(self) -> tuple[int, int]:
        """Responses and problems, a whole benchmark being the most."""
        problems = self.problems or ALL
        return problems * self.samples, problems

    def ending_at(self, end: int, last: int) -> Evaluation:
        """As it is of a trial that ends at round `end` and not at `last`: what is due at its last
        round is due there."""
        ending = (end,) if last in self.rounds else ()
        rounds = {*(at for at in self.rounds if at <= end), *ending}
        return self.model_copy(update={"rounds": tuple(sorted(rounds))})

    def metric(self, measure: str) -> str:
        """The metric's name everywhere: `<series>/<benchmark>/<measure>/<decoding>`."""
        return str(MetricName(self.series, self.benchmark.name, measure, self.decoding_name))


class Trial(BaseModel):
    """One cell and one seed."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), defer_build=True
    )

    id: str
    """`<model>.<reward>.<data>.s<seed>-<hash>`; see `zoo.trials.identity`."""
    identity: dict[str, Any]
    """The hashed payload itself, so that "it changed" can be answered with which field."""
    cell: dict[str, str | int | float | bool | None]
    """Axis -> value (names of cards, or plain values of dotted axes)."""
    seed: int
    rounds: int
    trainer: Trainer
    recipe: str
    model: ModelCard
    model_digest: str
    base: ModelCard | None = None
    """The base model of a checkpoint that was trained elsewhere; None = `model` itself."""
    base_digest: str = ""
    data: DataCard
    data_digest: str
    reward: RewardCard
    prompt: PromptCard
    grpo: dict[str, Any]
    batch: Batch
    peft: Peft | None = None
    """LoRA; None = all weights are trained."""
    entropy_mean: EntropyMean = "update"
    evaluations: tuple[Evaluation, ...]
    final: str
    tripwires: tuple[Tripwire, ...] = ()
    said: dict[str, Any] = {}
    """The cell's settings in the manifest itself, and its recipe; a change that is not
    in here came from elsewhere."""
    rehearsal: bool = False
    """Whether pocket stand-ins replace the cards that the cell names."""

    @property
    def simulated(self) -> bool:
        """True for trials whose numbers are synthetic, from a seed."""
        return self.trainer == "simulated"

    @property
    def random_weights(self) -> bool:
        """True where a model's weights are drawn at random, so that its numbers show that zoo runs
        and are no evidence about the model."""
        return any(card.random_weights for card in (self.model, self.start))

    def ending_at(self, end: int) -> Trial:
        """The same trial with its last round earlier, where training was stopped."""
        evaluations = tuple(e.ending_at(end, self.rounds) for e in self.evaluations)
        return self.model_copy(update={"rounds": end, "evaluations": evaluations})

    @property
    def cap(self) -> int:
        """Longest response in training, in tokens."""
        return int(self.grpo["max_completion_length"])

    @property
    def start(self) -> ModelCard:
        """The model at round 0."""
        return self.base or self.model
