"""How fast trials ran on this kind of hardware: rows for the cost model, from finished records.

Reads only folders whose name begins with a requested model; simulated trials, rehearsals
and trials of another profile are ignored. Only rounds are timed, not start or evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable

from zoo.resources.rates import MeasuredRate
from zoo.runs import live
from zoo.store import record
from zoo.store.run_store import Store

MOST = 20  # records of a model that are read


def measured(store: Store, models: Iterable[str], profile: str) -> list[MeasuredRate]:
    """One row a finished trial of `models` on `profile`: GPUs, response tokens and seconds of its
    rounds.

    Raises:
        StateError: a record or journal that cannot be read.
    """
    rows: list[MeasuredRate] = []
    for model in models:
        folders = sorted((store.root / "train").glob(f"{model}.*"), key=lambda f: f.name)
        for folder in folders[-MOST:]:
            found = record.read(folder)
            if found is None or not found.done() or found.simulated or found.rehearsal:
                continue
            if found.about.get("profile") != profile or found.about["cell"].get("model") != model:
                continue
            if "peft" in found.identity:
                continue  # rates are of trials that train all weights
            batch = found.identity.get("batch", {})
            size = batch.get("prompts", 0) * batch.get("num_generations", 0)
            tokens = seconds = 0.0
            for metrics in (row["metrics"] for row in live.read(folder, found).rounds.values()):
                length = metrics.get("train/completions/mean_length")
                took = metrics.get("train/step_time")
                if length and took:
                    tokens += length * size
                    seconds += took * batch.get("updates", 1)  # TRL times one update
            if seconds:
                rows.append(MeasuredRate(model, 1, tokens, seconds))
    return rows
