"""Digests are of content, are computed once, and never for big files while planning."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.model_folders import safetensors, write_model
from zoo.catalog import Catalog, ComputeProfile, DataCard, Geometry, ModelCard
from zoo.data import LocalResolver, model_folder, resolve
from zoo.data.places import NotFetched
from zoo.data.problems import digest, load
from zoo.errors import InputError
from zoo.manifest.load import load as load_manifest
from zoo.planning.expand import expand
from zoo.resources import place
from zoo.resources.memory import dense_parameters
from zoo.trials.identity import UNPINNED

COMMIT = "a" * 40


def of_hub(revision: str | None) -> ModelCard:
    """A model of the hub."""
    said = {"schema": "model/1", "name": "far", "repo": "org/far", "prompt": "none", "cap": 8}
    return ModelCard.model_validate(said | {"revision": revision})


def of_folder(folder: Path) -> ModelCard:
    """A model of this machine."""
    said = {"schema": "model/1", "name": "near", "path": str(folder), "prompt": "none", "cap": 8}
    return ModelCard.model_validate(said)


def of_file(path: Path, **said: object) -> DataCard:
    """Problems of this machine."""
    base = {"schema": "data/1", "name": "near", "local": {"path": str(path)}}
    return DataCard.model_validate(base | said)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of two problems."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"problem": "a", "answer": 1}\n{"problem": "b", "answer": 2}\n')
    return path


def test_a_hub_model_is_known_by_its_commit_and_not_looked_for() -> None:
    assert LocalResolver().model(of_hub(COMMIT)) == COMMIT
    assert LocalResolver().model(of_hub(None)) == UNPINNED


def test_the_folder_of_a_hub_model_is_the_snapshot_of_its_commit(empty_home: Path) -> None:
    with pytest.raises(InputError, match="zoo models pin far"):
        model_folder(of_hub(None))
    with pytest.raises(NotFetched, match="zoo models fetch far"):
        model_folder(of_hub(COMMIT))
    folder = write_model(empty_home / "hf/hub/models--org--far/snapshots" / COMMIT)
    assert model_folder(of_hub(COMMIT)) == folder
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(NotFetched) as caught:
        model_folder(of_hub(COMMIT))
    assert "not all here: model-00002-of-00002.safetensors missing" in str(caught.value)


def test_pickled_weights_are_no_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    for file in folder.glob("*.safetensors"):
        file.rename(file.with_suffix(".bin"))
    with pytest.raises(
        InputError, match="only pickled weights, which are never read; expected mod"
    ):
        model_folder(of_folder(folder))


def test_an_adapter_alone_is_no_model(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    for file in folder.glob("model*"):
        file.unlink()
    (folder / "adapter_model.safetensors").write_bytes(safetensors(9))
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"weights missing: model.safetensors; it is an adapter"):
        model_folder(of_folder(folder))


INDEX = "model.safetensors.index.json"
FIRST, SECOND = (f"model-0000{n}-of-00002.safetensors" for n in (1, 2))
BROKEN: dict[str, tuple[str, bytes | None, str]] = {
    "shard-missing": (SECOND, None, f": weights missing: {SECOND}"),
    "shard-empty": (FIRST, b"", f"/{FIRST}: is empty"),
    "shard-cut-in-its-header": (FIRST, safetensors(9)[:20], f"/{FIRST}: is not safetensors"),
    "shard-cut-in-its-data": (FIRST, safetensors(9)[:-4], f"/{FIRST}: has "),
    "shard-nested": (FIRST, bytes([64, 13, 3, 0, 0, 0, 0, 0]) + b"[" * 200_000, "not safetensors"),
    "shard-pointer": (FIRST, b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull`"),
    "index-no-json": (INDEX, b"{", f": weights missing: a readable {INDEX}"),
    "index-of-nothing": (INDEX, b'{"weight_map": {}}', f"a readable {INDEX}"),
    "index-of-numbers": (INDEX, b'{"weight_map": {"w": 5}}', f"a readable {INDEX}"),
    "index-elsewhere": (INDEX, b'{"weight_map": {"w": "../w.safetensors"}}', f"a readable {INDEX}"),
    "config-no-json": ("config.json", b"{", "/config.json: is not JSON"),
    "ends-no-json": ("generation_config.json", b"\xff", "/generation_config.json: is not JSON"),
    "config-pointer": ("config.json", b"version https://git-lfs.github.com", "`git lfs pull`"),
    "tokenizer-pointer": ("tokenizer.json", b"version https://git-lfs.github.com", "git-lfs poin"),
    "index-with-control": (INDEX, b'{"weight_map": {"w": "x\\u0007.safetensors"}}', "x .safete"),
    "tokenizer-missing": ("tokenizer.json", None, ": no tokenizer; expected tokenizer.json or"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_model_folder_with_a_missing_or_broken_file_is_refused(tmp_path: Path, case: str) -> None:
    name, body, told = BROKEN[case]
    folder = write_model(tmp_path / "m")
    (folder / name).unlink()
    if body is not None:
        (folder / name).write_bytes(body)
    with pytest.raises(InputError) as caught:
        model_folder(of_folder(folder))
    assert str(folder) in str(caught.value)
    assert told in str(caught.value)
    assert "copy the model's folder again" in str(caught.value)


def test_model_folder_reports_all_broken_files_at_once(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    for name in (FIRST, SECOND):
        (folder / name).write_bytes(b"")
    with pytest.raises(InputError) as caught:
        model_folder(of_folder(folder))
    assert [fault.found for fault in caught.value.faults] == ["is empty", "is empty"]


def test_model_folder_ignores_weights_that_its_index_does_not_name(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "consolidated.safetensors").write_bytes(b"")
    assert model_folder(of_folder(folder)) == folder


def test_snapshot_with_a_truncated_shard_is_refused_with_what_to_delete(empty_home: Path) -> None:
    folder = write_model(empty_home / "hf/hub/models--org--far/snapshots" / COMMIT)
    (folder / FIRST).write_bytes(safetensors(9)[:-4])
    with pytest.raises(InputError) as caught:
        model_folder(of_hub(COMMIT))
    assert f"{folder / FIRST}: has " in str(caught.value)
    assert "delete it and what it links to, then `zoo models fetch far`" in str(caught.value)


def test_model_folder_with_a_dangling_link_is_refused_at_the_link(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    (folder / "added_tokens.json").symlink_to(tmp_path / "blob")
    with pytest.raises(InputError) as caught:
        LocalResolver().model(of_folder(folder))
    assert f"{folder / 'added_tokens.json'}: cannot be read: No such file" in str(caught.value)


def test_a_folder_is_known_by_content_not_by_path(tmp_path: Path) -> None:
    one, other = write_model(tmp_path / "one"), write_model(tmp_path / "other")
    resolver = LocalResolver()
    assert resolver.model(of_folder(one)) == resolver.model(of_folder(other))
    (other / "config.json").write_text("{}")
    assert resolver.model(of_folder(one)) != resolver.model(of_folder(other))


def test_planning_reads_no_big_weights_but_knows_what_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, cache = of_folder(write_model(tmp_path / "m")), tmp_path / "cache"
    monkeypatch.setattr(resolve, "LIGHT_WEIGHTS_BYTES", 100)
    assert LocalResolver(cache, light=True).model(card) == UNPINNED
    thorough = LocalResolver(cache)
    found = thorough.model(card)
    assert not cache.exists()
    thorough.save()
    assert LocalResolver(cache, light=True).model(card) == found
    file = next((tmp_path / "m").glob("*.safetensors"))
    os.utime(file, (1, 1))  # perhaps another file: it must be read again
    assert LocalResolver(cache, light=True).model(card) == UNPINNED


def test_planning_reads_no_big_sets_of_problems_either(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, cache = of_file(rows), tmp_path / "cache"
    assert LocalResolver(cache, light=True).problems(card) == digest(load(card))
    monkeypatch.setattr(resolve, "LIGHT_ROWS_BYTES", 10)
    assert LocalResolver(cache, light=True).problems(card) == UNPINNED
    thorough = LocalResolver(cache)
    found = thorough.problems(card)
    thorough.save()
    assert LocalResolver(cache, light=True).problems(card) == found
    other = of_file(rows, filters={"duplicates": True})  # another way to read the same file
    assert LocalResolver(cache, light=True).problems(other) == UNPINNED


def test_size_is_what_the_filters_leave_and_is_kept_for_plans_that_read_nothing_big(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, cache = of_file(rows, filters={"duplicates": True}), tmp_path / "cache"
    rows.write_text('{"problem": "a", "answer": 1}\n' * 3)
    monkeypatch.setattr(resolve, "LIGHT_ROWS_BYTES", 10)
    assert LocalResolver(cache, light=True).size(card) is None
    thorough = LocalResolver(cache)
    assert thorough.size(card) == 1
    thorough.save()
    monkeypatch.setattr(resolve.problems, "load", None)  # nothing is read again
    assert LocalResolver(cache, light=True).size(card) == 1


def test_size_of_what_is_not_read_is_what_the_card_says(empty_home: Path) -> None:
    far = {"schema": "data/1", "name": "far", "hub": {"repo": "org/far", "files": ["a.jsonl"]}}
    assert LocalResolver().size(DataCard.model_validate(far)) is None
    assert LocalResolver().size(DataCard.model_validate(far | {"n": 9})) == 9
    assert LocalResolver().size(DataCard.model_validate(far | {"n": 9, "kept": 8})) == 8
    assert LocalResolver(light=True).size(Catalog().get(DataCard, "pocket-easy")) == 2000


def test_digest_kept_before_sizes_were_stands_for_plans_and_is_read_again_by_sweeps(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card, cache = of_file(rows), tmp_path / "cache"
    first = LocalResolver(cache)
    first.problems(card)
    first.save()
    file = cache / "digests.json"
    old = {key: said.split()[0] for key, said in json.loads(file.read_text()).items()}
    file.write_text(json.dumps(old))
    monkeypatch.setattr(resolve, "LIGHT_ROWS_BYTES", 10)
    assert LocalResolver(cache, light=True).problems(card) == digest(load(card))
    assert LocalResolver(cache, light=True).size(card) is None
    assert LocalResolver(cache).size(card) == 2


def test_prose_on_a_card_does_not_make_its_digest_unknown(tmp_path: Path, rows: Path) -> None:
    resolver = LocalResolver(tmp_path / "cache")
    resolver.problems(of_file(rows))
    resolver.problems(of_file(rows, about="Two problems.", license="none"))
    resolver.save()
    assert len(json.loads((tmp_path / "cache/digests.json").read_text())) == 1


def test_what_is_not_here_is_known_by_its_card_or_not_at_all(empty_home: Path) -> None:
    far = {"schema": "data/1", "name": "far", "hub": {"repo": "org/far", "files": ["a.jsonl"]}}
    assert LocalResolver().problems(DataCard.model_validate(far)) == UNPINNED
    said = DataCard.model_validate(far | {"digest": "0123456789abcdef"})
    assert LocalResolver().problems(said) == "0123456789abcdef"


def test_what_is_here_and_is_not_what_the_card_says_stops_the_plan(rows: Path) -> None:
    with pytest.raises(InputError, match="0123456789abcdef, as in the card"):
        LocalResolver().problems(of_file(rows, digest="0123456789abcdef"))


def test_shipped_buckets_that_somebody_measured_are_known_before_they_are_fetched(
    empty_home: Path,
) -> None:
    card = Catalog().get(DataCard, "simplerl-hard")
    assert LocalResolver(light=True).problems(card) == "84b8c5abd5003177"


def test_a_broken_cache_only_costs_the_reading(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "cache").mkdir()
    for text in ("{", "[]", ""):
        (tmp_path / "cache/digests.json").write_text(text)
        resolver = LocalResolver(tmp_path / "cache")
        assert resolver.problems(of_file(rows)) == digest(load(of_file(rows)))


def test_two_that_save_keep_what_the_other_found(tmp_path: Path, rows: Path) -> None:
    one, other = LocalResolver(tmp_path / "cache"), LocalResolver(tmp_path / "cache")
    one.problems(of_file(rows))
    other.problems(of_file(rows, filters={"duplicates": True}))
    one.save()
    other.save()
    assert len(json.loads((tmp_path / "cache/digests.json").read_text())) == 2


def test_a_silent_card_says_what_its_folder_says(tmp_path: Path) -> None:
    card = of_folder(write_model(tmp_path / "near"))
    found = LocalResolver(light=True).described(card)
    geometry = Geometry(
        layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, ffn=16, vocab=32, tied=True
    )
    assert (found.geometry, found.parameters) == (geometry, dense_parameters(geometry))
    assert (found.context, found.eos_ids) == (128, (3,))
    assert found.origin["geometry"] == "config of its folder"


def test_what_a_card_says_stands(tmp_path: Path) -> None:
    card = of_folder(write_model(tmp_path / "near"))
    card = card.model_copy(update={"context": 64, "eos_ids": (9,), "parameters": 5})
    found = LocalResolver().described(card)
    assert (found.context, found.eos_ids, found.parameters) == (64, (9,), 5)
    assert found.geometry is not None


def test_a_model_of_the_hub_is_described_where_it_was_fetched(empty_home: Path) -> None:
    card = of_hub(COMMIT)
    assert LocalResolver().described(card) is card
    write_model(empty_home / "hf/hub/models--org--far/snapshots" / COMMIT)
    assert LocalResolver().described(card).context == 128


def test_a_folder_that_says_nothing_describes_nothing(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "near")
    (folder / "config.json").write_text("{}")
    (folder / "generation_config.json").unlink()
    found = LocalResolver().described(of_folder(folder))
    assert (found.geometry, found.parameters, found.context, found.eos_ids) == (None, 0, None, ())


def test_no_id_rests_on_what_a_folder_says_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same folder, once described and once not: the same trial, and now it can be placed."""
    write_model(tmp_path / "near")
    path = tmp_path / "near.yaml"
    path.write_text(
        "schema: experiment/1\nname: near\nquestion: Does it fit?\nrecipe: pocket\nrounds: 2\n"
        "grid: {model: {path: near, prompt: none, cap: 64}, reward: correctness, "
        "data: pocket-easy}\nevaluate: {full: {benchmarks: [pocket-easy], at: [0, last]}}\n"
    )
    (told,) = expand(load_manifest(path), Catalog(), LocalResolver())
    monkeypatch.setattr(LocalResolver, "described", lambda self, card: card)
    (silent,) = expand(load_manifest(path), Catalog(), LocalResolver())
    assert told.id == silent.id
    assert told.identity == silent.identity
    h100 = Catalog().get(ComputeProfile, "h100")
    assert place(silent, h100).memory is None
    assert place(told, h100).fits
