"""`zoo eval` and `zoo audition` with a real engine, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.sweeps import command
from zoo.catalog import Catalog, ModelCard
from zoo.store.parquet import read_parquet
from zoo.store.run_store import Store


def test_eval_and_audition_measure_a_pocket_model_once(tmp_path: Path) -> None:
    words = ("eval", "pocket-qwen2", "--on", "pocket-easy", "--problems", "8", "--samples", "4")
    words = (*words, "--budget", "16", "--json", "--profile", "laptop")
    first = command(tmp_path, *words)
    assert first.returncode == 0, first.stderr
    sampled, greedy = json.loads(first.stdout)
    assert sampled["summary"]["samples"] == 4
    assert greedy["values"]["acc"] > 0.2
    assert greedy["summary"]["budget"]["16"]["value"] <= greedy["values"]["acc"]
    store = Store(tmp_path / "runs")
    rows = read_parquet(store.completions(sampled["samples"]), ["token_ids", "finish"])
    assert all(0 < len(ids) <= 64 for ids in rows["token_ids"])
    assert command(tmp_path, *words).stdout == first.stdout

    words = ("audition", "pocket-qwen2", "--data", "pocket-easy", "--problems", "8")
    words = (*words, "--prompt", "pocket", "--prompt", "boxed", "--profile", "laptop")
    done = command(tmp_path, *words, "--as", "mine")
    assert done.returncode == 0, done.stderr
    card = Catalog(tmp_path / "cards").get(ModelCard, "mine")
    assert card.prompt == "pocket"  # the form of its pretraining text
    assert card.cap >= 64
