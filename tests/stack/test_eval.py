"""`zoo eval` and `zoo audition` with a real engine, as a user runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.sweeps import command, environment, left_running, wait_for
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


def test_interrupted_eval_exits_130_and_leaves_nothing_running(tmp_path: Path) -> None:
    words = ["eval", "pocket-qwen2", "--on", "pocket-easy", "--samples", "64"]
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo.cli.main", *words, "--profile", "laptop"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    logs = (tmp_path / "runs/evals").glob
    wait_for(lambda: any(log.stat().st_size for log in logs("*/log.txt")))  # it works
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=200)
    assert process.returncode == 130, told
    assert "the same command does what is left" in told
    assert left_running(tmp_path) == []
    assert not list((tmp_path / "runs").rglob("record.json"))
