"""A rehearsal: the same manifest with pocket stand-ins, small enough for any machine.

The stand-in replaces weights, tokenizer, stop ids, context, max response length and problems, and
arithmetic is in float32 (a CPU emulates bfloat16, at six times the time a step); prompt, KL,
reward, recipe and everything else are those of the original. The replaced values enter the id,
cards by name, so ten models on three stand-ins stay ten runs, and a rehearsal is never mistaken for
a result.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from zoo.catalog import Batch, BenchmarkCard, Card, DataCard, ModelCard
from zoo.manifest.load import Manifest
from zoo.manifest.schema import Schedule
from zoo.trials.card_lookup import Names
from zoo.trials.identity import batch_payload
from zoo.trials.settings import Resolved

ROUNDS, SEED, PROBLEMS = 2, 0, 32
SUFFIX = ".rehearsal"
PROMPTS, GENERATIONS = 16, 8
DEFAULTS: dict[type[Card], str] = {
    ModelCard: "pocket-llama",
    DataCard: "pocket-easy",
    BenchmarkCard: "pocket-easy",
}
C = TypeVar("C", ModelCard, DataCard, BenchmarkCard)


def of(manifest: Manifest) -> Manifest:
    """The rehearsal of a manifest: one seed, two rounds, few problems, a name of its own."""
    experiment = manifest.experiment
    schedules = {k: _cut(v) for k, v in experiment.evaluate.schedules.items()}
    small = experiment.model_copy(
        update={
            "name": experiment.name + SUFFIX,
            "seeds": [SEED],
            "rounds": ROUNDS,
            "evaluate": experiment.evaluate.model_copy(update=schedules),
        }
    )
    return replace(manifest, experiment=small, rehearse=True)


def _cut(schedule: Schedule) -> Schedule:
    """A schedule whose rounds and problems fit; rounds beyond the horizon fall on it."""
    at = [min(round_, ROUNDS) if isinstance(round_, int) else round_ for round_ in schedule.at]
    problems = min(schedule.problems or PROBLEMS, PROBLEMS)
    return schedule.model_copy(update={"at": at, "problems": problems, "samples": 1})


def model(names: Names, card: ModelCard) -> ModelCard:
    """The stand-in of a model, which keeps the original's prompt and KL."""
    found = _stand_in(names, ModelCard, card)
    return found.model_copy(update={"prompt": card.prompt, "beta": card.beta})


def data(names: Names, card: DataCard) -> DataCard:
    """The stand-in of a training set."""
    return _stand_in(names, DataCard, card)


def benchmark(names: Names, card: BenchmarkCard) -> BenchmarkCard:
    """A benchmark with the stand-in's problems under its own name and extraction rule."""
    found = _stand_in(names, BenchmarkCard, card)
    return found.model_copy(update={"name": card.name, "extract": card.extract})


def _stand_in(names: Names, kind: type[C], card: C) -> C:
    """The stand-in that a card names, or the usual one.

    Raises:
        InputError: no card of that name exists, or the card is invalid.
    """
    if card.stand_in is not None and card.stand_in not in names.catalog.names(kind):
        names.catalog.check_stand_in(kind, card.name)
    found = names.card(kind, card.stand_in or DEFAULTS[kind], ())
    if found is None:
        names.stop_at_faults()
    assert found is not None
    return found


def settings(full: Resolved, model: ModelCard) -> Resolved:
    """The settings of a cell with the stand-in's max response length, float32 and a small round."""
    replaced: dict[str, Any] = {"max_completion_length": model.cap, "bf16": False, "fp16": False}
    return replace(full, grpo=full.grpo | replaced, batch=batch(full.batch), texts={})


def batch(full: Batch) -> Batch:
    """A round of 16 prompts x 8 at the recipe's updates a round; a pinned micro-batch stays pinned,
    at half an update or more, as single pairs would take minutes."""
    updates = full.updates
    prompts = PROMPTS if PROMPTS % updates == 0 else updates
    small = Batch(prompts=prompts, num_generations=GENERATIONS, updates=updates)
    micro = full.micro_batch
    if micro is not None:
        most = max(1, small.per_update // 2)
        micro = micro if micro > most and small.per_update % micro == 0 else most
    return small.model_copy(update={"micro_batch": micro})


def identity(cell: dict[str, Any], full: Resolved) -> dict[str, Any]:
    """What enters the id: whatever the rehearsal replaces, so that cells that differ only in it
    stay apart."""
    named = {axis: str(cell[axis]) for axis in ("model", "data") if axis in cell}
    settings = {name: full.grpo[name] for name in ("max_completion_length", "bf16", "fp16")}
    return named | {"batch": batch_payload(full.batch)} | settings
