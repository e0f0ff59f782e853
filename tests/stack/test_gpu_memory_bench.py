"""`tests/bench/gpu_memory.py`, as far as it goes without a GPU: what it would measure, and how."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import gpu_memory
from tests.bench.gpu_memory import Row
from zoo.catalog import Catalog, ComputeProfile, Geometry, Gpu, ModelCard
from zoo.resources import place

H100 = Gpu(name="H100", memory_gib=80)
SMALL = ["qwen2.5-0.5b", "llama-3.2-1b", "olmo-2-1b", "qwen2.5-1.5b", "smollm2-1.7b"]


def rows(folder: Path, memory: float, gpus: int, cap: int = 2048, most: float = 4e9) -> list[Row]:
    profile = gpu_memory.profile_of(Gpu(name="card", memory_gib=memory), gpus, "vllm")
    cards = gpu_memory.geometries(Catalog(), (), cap, most)
    return gpu_memory.rows_of(cards, profile, folder)


def names(found: list[Row]) -> list[str]:
    return [row.model.removesuffix("-random-weights") for row in found]


def test_geometries_that_are_measured_are_those_that_fit_the_card(tmp_path: Path) -> None:
    assert names(rows(tmp_path, 80, 1)) == SMALL
    assert names(rows(tmp_path, 24, 1)) == SMALL[:1]
    eight = rows(tmp_path, 80, 8, cap=8192, most=1e11)
    assert {"qwen2.5-7b", "llama-3.1-8b", "qwen2.5-14b"} < set(names(eight))
    assert max(row.placed.gpus for row in eight) == 8
    assert all(row.placed.memory and row.placed.micro_batch > 0 for row in eight)


def test_drawn_geometry_has_the_size_that_the_plan_counts() -> None:
    card = Catalog().get(ModelCard, "mistral-small-24b")  # heads are not hidden / head_dim
    made = gpu_memory.random_card(card, 1024)
    assert made.geometry == card.geometry
    assert made.parameters == card.parameters
    assert made.random_weights is not None
    assert made.random_weights.config["head_dim"] == 128


@pytest.mark.parametrize("words", [["nix"], ["--cap", "0"], ["--gpus", "0"], ["--memory", "x"]])
def test_words_that_mean_nothing_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        gpu_memory.options(words)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_without_a_gpu_it_says_so_and_measures_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    gpu_memory.main([])
    text, last = capsys.readouterr().out.splitlines()
    assert text.startswith("no NVIDIA GPU here")
    assert json.loads(last) == {"skipped": "no NVIDIA GPU"}


def test_table_sets_the_measured_peak_beside_the_planned_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(tmp_path, 80, 1)[:2]
    found = [replace(found[0], measured=0.9 * found[0].planned), found[1]]
    head, one, other = gpu_memory.table(found).splitlines()
    assert head.split() == list(gpu_memory.HEAD)
    assert one.split()[0] == SMALL[0]
    assert one.split()[-1] == "0.90"
    assert other.split()[-2:] == ["-", "-"]
    last = gpu_memory.result(H100, found)
    assert last["worst_ratio"] == 0.9
    assert [row["measured"] is None for row in last["rows"]] == [False, True]
    gpu_memory.main(["--list", "--memory", "24"])
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("1 of ")
    assert json.loads(told[-1])["worst_ratio"] is None


def test_geometry_is_drawn_trained_and_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))  # it sets it
    monkeypatch.chdir(tmp_path)
    base = Catalog().get(ModelCard, "llama-3.2-1b")
    said = {"layers": 2, "hidden": 64, "heads": 4, "kv_heads": 2, "head_dim": 32, "ffn": 128}
    tiny = Geometry.model_validate(said | {"vocab": 300, "tied": True})
    card = gpu_memory.random_card(base.model_copy(update={"geometry": tiny}), 16)
    profile = Catalog().get(ComputeProfile, "cpu-transformers")
    placed = place(gpu_memory.trial_of(card, tmp_path), profile)
    found = gpu_memory.measured(Row(card.name, placed), card, profile, [])
    assert found.failure == ""
    assert found.measured is not None
    assert 0.1 < found.measured < 20  # GiB of the process, as there is no GPU
