"""A model of half a billion parameters through TRL and vLLM, trained for two rounds on CPU cores.

The real Qwen2.5-0.5B where the hub or a copy of it is in reach, else its architecture with random
weights. Takes minutes and 12 GiB, so only `make smoke` (ZOO_SMOKE=1) runs it.
"""

from __future__ import annotations

import json
import os
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.smoke.conftest import LINE
from tests.support.sweeps import ROOT, command
from tests.support.trials import finish, start
from zoo.catalog import Catalog, ComputeProfile, ModelCard
from zoo.data import LocalResolver, places
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.store import journal
from zoo.store import record as records
from zoo.store.run_store import Store

MANIFEST = ROOT / "experiments/smoke_0.5b.yaml"
NAME, RANDOM = "qwen2.5-0.5b", "qwen2.5-0.5b-random-weights"
LIMIT_S = 600
LIMIT_BYTES = 14_000_000_000  # of a hosted runner's 16 GB
MICRO_BATCH = 2  # completions of a forward pass: a quarter of the activations and logits of eight
ROUNDS, GROUPS, SIZE, TOKENS = 2, 2, 4, 64

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("ZOO_SMOKE"), reason="minutes and 12 GiB; `make smoke` runs it"
    ),
    pytest.mark.timeout(LIMIT_S + 1200),
]


def pin_real(folder: Path) -> bool:
    """Pin and fetch the real model, for commands in `folder`; whether it is here now."""
    card = Catalog().get(ModelCard, NAME)
    here = places.snapshot("models", str(card.repo), None)
    if here is None:
        pinned = command(folder, "models", "pin", NAME)
        return not pinned.returncode and not command(folder, "models", "fetch", NAME).returncode
    text = Catalog().file(ModelCard, NAME).read_text(encoding="utf-8")
    own = folder / "cards/models" / f"{NAME}.yaml"
    own.parent.mkdir(parents=True)
    own.write_text(text.replace("revision: null", f"revision: {here.name}"), encoding="utf-8")
    return not command(folder, "models", "check", NAME).returncode


def choose(folder: Path) -> list[str]:
    """Changes to the manifest: none for the real model."""
    if pin_real(folder):
        return []
    print(f"smoke: {NAME} is not here and no hub is in reach; random weights take its place")
    drawn = command(folder, "models", "fetch", RANDOM)
    assert drawn.returncode == 0, drawn.stdout + drawn.stderr
    return [f"grid.model={RANDOM}"]


@pytest.mark.parametrize("adapters", [[], ["peft.r=16"]], ids=["all-weights", "lora"])
def test_half_a_billion_parameters_train_and_the_engine_follows(
    tmp_path: Path, request: pytest.FixtureRequest, adapters: list[str]
) -> None:
    lines = request.config.stash.setdefault(LINE, [])
    lines.append("smoke: failed")
    drawn, store = choose(tmp_path), Store(tmp_path / "runs")
    changes = drawn + adapters
    catalog = Catalog(tmp_path / "cards")
    (trial,) = expand(load(MANIFEST, changes), catalog, LocalResolver(store.cache))
    env = catalog.get(ComputeProfile, "laptop").env
    env = env | {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    process = start(trial, store, ("-m", "tests.smoke.watched"), env=env, micro_batch=MICRO_BATCH)
    try:
        folder = finish(process, trial, store, LIMIT_S)
    finally:
        process.kill()
    seen = json.loads((folder / "watched.json").read_text())

    record = records.read(folder)
    assert record is not None
    assert (record.state, record.round, record.lineage) == ("done", ROUNDS, 1)
    rows = {row["round"]: row["metrics"] for row in journal.read(folder / "metrics.jsonl")}
    assert all(rows[round_]["train/grad_norm"] > 0 for round_ in range(1, ROUNDS + 1))
    assert (seen["moved"]["trainer"] > 0) is (seen["moved"]["engine"] > 0) is (not adapters)
    assert seen["moved"]["linear"] > 0
    assert seen["apart"] == {"embedding": 0, "output": 0, "linear": 0}
    for round_ in range(1, ROUNDS + 1):
        assert_groups_differ(folder / f"rollouts/round-{round_:04}.parquet")
    assert seen["peak_bytes"] < LIMIT_BYTES
    assert record.about.get("random_weights", False) is bool(drawn)
    assert (f".{RANDOM}." in f".{trial.id}") is bool(drawn)

    told = command(tmp_path, "sweep", str(MANIFEST), *words(changes), "--on", "ci")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing to do" in told.stdout
    page = (tmp_path / "sweeps/smoke_0.5b/report.html").read_text(encoding="utf-8")
    assert ("was never trained" in page) is bool(drawn)
    lines[-1] = line(trial.model, seen) + (", LoRA of rank 16" if adapters else "")


def words(changes: list[str]) -> list[str]:
    """Changes as options of a command."""
    return [word for change in changes for word in ("--set", change)]


def assert_groups_differ(path: Path) -> None:
    """Two responses at least that differ and are not empty, in each group of a round."""
    rows = pq.read_table(path, columns=["group", "text", "token_ids"]).to_pylist()
    assert len(rows) == GROUPS * SIZE
    groups = [list(same) for _, same in groupby(rows, key=lambda row: row["group"])]
    assert len(groups) == GROUPS
    for group in groups:
        assert len({row["text"] for row in group if row["text"].strip()}) >= 2, group
    assert max(len(row["token_ids"]) for row in rows) <= TOKENS


def line(model: ModelCard, seen: dict[str, Any]) -> str:
    """What a smoke run comes to, for people."""
    peak = seen["peak_bytes"] / 2**30
    return (
        f"smoke: {model.name}, {model.parameters / 1e6:.0f}M parameters: {ROUNDS} rounds of "
        f"{GROUPS * SIZE} x {TOKENS} tokens in {seen['seconds']:.0f} s, peak memory {peak:.1f} GiB"
    )
