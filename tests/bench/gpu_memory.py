"""The peak memory of trials on this machine's GPUs beside the plan's, for every geometry of the
catalog's base models that fits them.

    python tests/bench/gpu_memory.py [MODEL ...] [--cap 2048] [--most 4e9] [--gpus N]
    python tests/bench/gpu_memory.py --list --memory 80 --gpus 8

Each geometry is drawn with random weights and trained for two rounds of 32 responses, which run to
the cap, with a reference model, in the micro-batch that the plan allows: forward passes are as wide
as planned. One trial at a time, on as many GPUs as the plan gives it. Needs no hub, and disk for
one model in float32. `--list` measures nothing and prints what a card of so many GiB would be
measured with. The last line is one JSON object: `card`, `memory_gib`, `rows` (each with `planned`,
`measured` and their `ratio`) and `worst_ratio`, or `skipped` without a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])

from tests.support.trials import manifest  # noqa: E402
from zoo.catalog import Catalog, ComputeProfile, Gpu, ModelCard, PromptCard  # noqa: E402
from zoo.catalog.model_card import RANDOM  # noqa: E402
from zoo.data import LocalResolver, load, render  # noqa: E402
from zoo.doctor.peak_memory import PeakMemory, read_gpus  # noqa: E402
from zoo.launching import launch  # noqa: E402
from zoo.launching.task import Task  # noqa: E402
from zoo.manifest.load import load as load_manifest  # noqa: E402
from zoo.planning.expand import expand  # noqa: E402
from zoo.planning.machine import visible_gpus  # noqa: E402
from zoo.resources import Placement, place  # noqa: E402
from zoo.resources.memory import dense_parameters  # noqa: E402
from zoo.store import record  # noqa: E402
from zoo.store.stack import package_version  # noqa: E402
from zoo.trials.trial import Trial  # noqa: E402

ROUNDS = 2
BATCH = "{prompts: 4, num_generations: 8, updates: 1}"
EVALUATE = "{full: {benchmarks: [pocket-easy], problems: 2, at: [0]}}"
HEAD = ("model", "GPUs", "TP", "micro", "training", "generation", "planned", "measured", "ratio")


@dataclass(frozen=True)
class Row:
    """One geometry. Memory in GiB of the fullest GPU; `failure`: also of a launch that the trial
    survived."""

    model: str
    placed: Placement
    measured: float | None = None
    failure: str = ""

    @property
    def planned(self) -> float:
        """The plan's peak."""
        assert self.placed.memory is not None
        return self.placed.memory.peak

    @property
    def ratio(self) -> float | None:
        """Measured over planned; None = not measured."""
        return None if self.measured is None else self.measured / self.planned

    def as_data(self) -> dict[str, Any]:
        """For the last line."""
        at = self.placed
        found = {"model": self.model, "gpus": at.gpus, "tensor_parallel": at.tensor_parallel}
        found |= {"micro_batch": at.micro_batch, "planned": round(self.planned, 2)}
        found |= {"measured": self.measured and round(self.measured, 2)}
        found |= {"ratio": self.ratio and round(self.ratio, 3)}
        return found | ({"failure": self.failure} if self.failure else {})


def options(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("models", nargs="*", help="names of model cards (default: all that fit)")
    parser.add_argument("--cap", type=int, default=2048, help="tokens of a response (2048)")
    parser.add_argument("--most", type=float, default=4e9, help="parameters at most (4e9)")
    parser.add_argument("--gpus", type=int, help="GPUs at most (all of this machine)")
    parser.add_argument("--list", action="store_true", help="only list what would be measured")
    parser.add_argument("--memory", type=float, default=80, help="GiB of a GPU, with --list (80)")
    found = parser.parse_args(words)
    if found.cap < 1 or (found.gpus is not None and found.gpus < 1):
        parser.error("--cap and --gpus are at least 1")
    if unknown := set(found.models) - set(Catalog().names(ModelCard)):
        parser.error(f"no model card {', '.join(sorted(unknown))}")
    return found


def profile_of(gpu: Gpu, gpus: int, engine: str) -> ComputeProfile:
    """The profile `gpu` on so many cards of a known size."""
    found = Catalog().get(ComputeProfile, "gpu")
    update: dict[str, Any] = {"gpu": gpu, "gpus": gpus, "gpus_per_node": gpus, "engine": engine}
    if engine != "vllm":
        update |= {"engine_dtype": "float32", "vllm_enable_sleep_mode": False}
    return found.model_copy(update=update)


def random_card(card: ModelCard, cap: int) -> ModelCard:
    """A base model's geometry with random weights, as a Llama whatever its family."""
    said = card.geometry
    assert said is not None
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": said.hidden,
        "intermediate_size": said.ffn,
        "num_hidden_layers": said.layers,
        "num_attention_heads": said.heads,
        "num_key_value_heads": said.kv_heads,
        "head_dim": said.head_dim,
        "vocab_size": said.vocab,
        "max_position_embeddings": card.context,
        "tie_word_embeddings": said.tied,
        "bos_token_id": said.vocab - 1,
        "eos_token_id": said.vocab - 1,
        "dtype": "bfloat16",
    }
    return ModelCard.model_validate(
        {
            "schema": "model/1",
            "name": f"{card.name.removesuffix(RANDOM)}{RANDOM}",
            "family": "llama",
            "random_weights": {"config": config},
            "parameters": dense_parameters(said),
            "geometry": said.model_dump(),
            "context": card.context,
            "prompt": "simple",
            "eos_ids": [said.vocab - 1],
            "cap": cap,
            "beta": 1e-4,
        }
    )


def geometries(catalog: Catalog, models: Iterable[str], cap: int, most: float) -> list[ModelCard]:
    """The catalog's geometries (or those of `models`), each once, the smallest first."""
    names = [*models] or catalog.names(ModelCard)
    cards = [catalog.get(ModelCard, name) for name in names]
    cards.sort(key=lambda card: card.base is not None)  # a geometry by the base model's name
    known: dict[str, ModelCard] = {}
    for card in cards:
        if card.geometry and card.embedded is None and (card.context or 0) > cap:
            known.setdefault(repr(card.geometry), random_card(card, cap))
    found = sorted(known.values(), key=lambda card: card.parameters)
    return [card for card in found if models or card.parameters <= most]


def trial_of(card: ModelCard, folder: Path, resolver: LocalResolver | None = None) -> Trial:
    """The trial of a geometry; without a resolver, for its placement alone."""
    cards = folder / "cards/models"
    cards.mkdir(parents=True, exist_ok=True)
    said = card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    (cards / f"{card.name}.yaml").write_text(json.dumps(said), encoding="utf-8")  # YAML, too
    values = {"model": card.name, "recipe": "simplerl-zoo", "reward": "random", "batch": BATCH}
    path = manifest(folder, card.name[:40], rounds=ROUNDS, evaluate=EVALUATE, **values)
    (trial,) = expand(load_manifest(path), Catalog(folder / "cards"), resolver)
    return trial


def longest_prompt(trial: Trial, store: Path) -> int:
    """Characters of the longest prompt, which a random tokenizer makes tokens of."""
    prompt = Catalog().get(PromptCard, trial.prompt.name)
    return max(len(render(prompt, problem)) for problem in load(trial.data, store))


def rows_of(cards: Iterable[ModelCard], profile: ComputeProfile, folder: Path) -> list[Row]:
    """The placements of those that fit the profile."""
    found: list[Row] = []
    for card in cards:
        trial = trial_of(card, folder)
        placed = place(trial, profile, prompt=longest_prompt(trial, folder))
        if placed.fits:
            found.append(Row(card.name, placed))
    return found


def measured(row: Row, card: ModelCard, profile: ComputeProfile, gpus: list[str]) -> Row:
    """Draw, train and watch one geometry; nothing of it is left on disk."""
    from zoo.trainer.random_model import draw

    with tempfile.TemporaryDirectory(prefix="zoo-memory-") as name:
        folder = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")  # where drawn weights lie
        assert card.random_weights is not None
        draw(card, card.random_weights)
        trial = trial_of(card, folder, LocalResolver(folder / "cache"))
        own = gpus[: max(1, row.placed.gpus)]
        task = Task(
            trial,
            profile,
            str(folder / "runs"),
            secrets.token_hex(8),
            longest_prompt=longest_prompt(trial, folder),
            devices=",".join(own) if own else None,
        )
        with PeakMemory(folder / "runs", own) as peak:
            ended = launch.run(task, lambda: None)
        seen, found = peak.gpus or peak.resident, record.read(task.folder)
        failure = ""
        if found is not None and (large := found.about.get("out_of_memory")):
            failure = f"out of memory with a micro-batch of {', '.join(map(str, large))}"
        if ended.state != "done":
            failure = f"{ended.failure_class}: {ended.message}"
            shutil.copy(task.folder / "log.txt", Path.cwd() / f"{row.model}.log")
        return replace(row, measured=max(seen.values(), default=None), failure=failure[-500:])


def table(rows: Sequence[Row]) -> str:
    """The rows as text."""
    lines = [HEAD]
    for row in rows:
        at, memory = row.placed, row.placed.memory
        assert memory is not None
        gib = (memory.training, memory.generation, row.planned, row.measured)
        told = [f"{value:.1f}" if value is not None else "-" for value in gib]
        ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
        counts = map(str, (at.gpus, at.tensor_parallel, at.micro_batch))
        lines.append((row.model.removesuffix(RANDOM), *counts, *told, ratio))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(cells))
        for cells in (zip(line, widths, strict=True) for line in lines)
    ]
    return "\n".join(text)


def result(gpu: Gpu, rows: Sequence[Row]) -> dict[str, Any]:
    """The last line."""
    ratios = [row.ratio for row in rows if row.ratio is not None]
    return {
        "card": gpu.name,
        "memory_gib": round(gpu.memory_gib, 1),
        "rows": [row.as_data() for row in rows],
        "worst_ratio": round(max(ratios), 3) if ratios else None,
    }


def main(words: Sequence[str] | None = None) -> None:
    """Measure and print."""
    told = options(words)
    there = visible_gpus()
    gpus = [] if told.list else there[: told.gpus]
    seen = read_gpus(gpus)
    if not told.list and not seen:
        print("no NVIDIA GPU here (nvidia-smi lists none): nothing is measured; see --list")
        print(json.dumps({"skipped": "no NVIDIA GPU"}))
        return
    name, _, total = next(iter(seen.values()), ("a GPU", 0.0, told.memory))
    gpu = Gpu(name=name, memory_gib=total)
    engine = "vllm" if told.list or package_version("vllm") != "absent" else "transformers"
    profile = profile_of(gpu, len(gpus) or told.gpus or 1, engine)
    cards = geometries(Catalog(), told.models, told.cap, told.most)
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(cards, profile, Path(folder))
    print(
        f"{len(rows)} of {len(cards)} geometries fit {profile.gpus} x {gpu.name} of {total:.1f} GiB"
    )
    if not told.list:
        of = {card.name: card for card in cards}
        for at, row in enumerate(rows):
            rows[at] = measured(row, of[row.model], profile, gpus)
            print(json.dumps(rows[at].as_data()), flush=True)
    print(table(rows))
    print(json.dumps(result(gpu, rows)))


if __name__ == "__main__":
    main()
