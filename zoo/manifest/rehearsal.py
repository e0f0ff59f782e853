"""A rehearsal: the same manifest with pocket stand-ins, small enough for any machine.

The stand-in replaces weights, tokenizer, stop ids, context, cap and problems; prompt, KL, reward,
recipe and everything else stay those of the original, whose names enter the id. So ten models on
three stand-ins stay ten runs, and a rehearsal never passes for a result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from zoo.catalog import Batch, BenchmarkCard, DataCard, ModelCard

if TYPE_CHECKING:
    from zoo.manifest.names import Names

ROUNDS, SEED, PROBLEMS = 2, 0, 32
PROMPTS, GENERATIONS = 16, 8
DEFAULTS = {ModelCard: "pocket-llama", DataCard: "pocket-easy", BenchmarkCard: "pocket-easy"}
P = TypeVar("P", DataCard, BenchmarkCard)


def model(names: Names, card: ModelCard) -> ModelCard:
    """The stand-in of a model, which keeps the original's prompt and KL."""
    found = names.card(ModelCard, card.stand_in or DEFAULTS[ModelCard], ())
    assert found is not None
    return found.model_copy(update={"prompt": card.prompt, "beta": card.beta})


def data(names: Names, card: DataCard) -> DataCard:
    """The stand-in of a training set."""
    found = names.card(DataCard, card.stand_in or DEFAULTS[DataCard], ())
    assert found is not None
    return found


def benchmark(names: Names, card: BenchmarkCard) -> BenchmarkCard:
    """A benchmark with the stand-in's problems under its own name and extraction policy."""
    found = names.card(BenchmarkCard, card.stand_in or DEFAULTS[BenchmarkCard], ())
    assert found is not None
    return found.model_copy(update={"name": card.name, "extract": card.extract})


def batch(full: Batch) -> Batch:
    """A round of 16 prompts x 8 at the recipe's updates a round and pinned micro-batch."""
    updates = full.updates
    prompts = PROMPTS if PROMPTS % updates == 0 else updates
    small = Batch(prompts=prompts, num_generations=GENERATIONS, updates=updates)
    micro = full.micro_batch
    if micro is not None:
        micro = max(
            n for n in range(1, min(micro, small.per_update) + 1) if not small.per_update % n
        )
    return small.model_copy(update={"micro_batch": micro})


def identity(cell: dict[str, Any]) -> dict[str, str]:
    """What enters the id: the names that were replaced."""
    return {axis: str(cell[axis]) for axis in ("model", "data") if axis in cell}
