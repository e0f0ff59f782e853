"""Models and data sets come from the hub: pinned, without pickles, after a look at the disk; and
every refusal says what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.hub_mirror import GOOD_TOKEN, Mirror
from tests.support.model_folders import model_files
from zoo.catalog import Catalog, DataCard, ModelCard
from zoo.data import fetch, load, model_folder
from zoo.data.hub import listing
from zoo.data.places import hub_cache
from zoo.errors import FetchError, InputError, ZooError

COMMIT = "a" * 40
ROWS = b'{"q": "1+1?", "a": "2"}\n'


def model(**said: object) -> ModelCard:
    """A model of the hub, pinned."""
    base = {"schema": "model/1", "name": "tiny", "repo": "org/tiny", "prompt": "none", "cap": 8}
    return ModelCard.model_validate(base | {"revision": COMMIT} | said)


def data(**said: object) -> DataCard:
    """A data set of the hub, whatever is newest."""
    source = {"repo": "org/set", "files": ["sub/train.jsonl"]}
    source |= {"columns": {"problem": "q", "answer": "a"}} | said
    return DataCard.model_validate({"schema": "data/1", "name": "far", "hub": source})


def test_of_a_model_come_weights_configuration_and_tokenizer_and_no_pickles(hub: Mirror) -> None:
    hub.put("models/org/tiny", model_files())
    found = fetch.model(model())
    assert sorted(path.name for path in found.path.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert found.bytes == sum(path.stat().st_size for path in found.path.iterdir())
    assert model_folder(model()) == found.path
    assert hub_cache() in found.path.parents


def test_what_is_there_does_not_come_again_and_what_is_missing_does(hub: Mirror) -> None:
    hub.put("models/org/tiny", model_files())
    folder = fetch.model(model()).path
    assert fetch.model(model()).bytes == 0
    (folder / "model-00001-of-00002.safetensors").resolve().unlink()
    hub.asked.clear()
    assert (
        fetch.model(model()).bytes == (folder / "model-00001-of-00002.safetensors").stat().st_size
    )
    came = [path for path in hub.asked if path.startswith("GET org/")]
    assert came == [f"GET org/tiny/resolve/{COMMIT}/model-00001-of-00002.safetensors"]


def test_code_comes_only_where_the_card_trusts_it(hub: Mirror) -> None:
    hub.put("models/org/tiny", model_files())
    assert not list(fetch.model(model()).path.glob("*.py"))
    trusted = fetch.model(model(trust_remote_code=True))
    assert [path.name for path in trusted.path.glob("*.py")] == ["modeling_tiny.py"]


def test_a_download_that_breaks_off_goes_on_where_it_broke(
    hub: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 10_000)  # else 10 MB
    files = model_files(shards=1)
    name = "model-00001-of-00001.safetensors"
    files[name] += bytes(200_000)
    hub.put("models/org/tiny", files)
    hub.break_once[name] = 70_000
    assert (fetch.model(model()).path / name).read_bytes() == files[name]
    ranges = [asked for asked in hub.asked if name in asked and " bytes=" in asked]
    assert ranges == [f"GET org/tiny/resolve/{COMMIT}/{name} bytes=70000-"]


def test_too_little_disk_is_told_with_both_figures_before_anything_comes(hub: Mirror) -> None:
    hub.put("models/org/tiny", model_files())
    with pytest.raises(FetchError) as caught:
        fetch.model(model(), free=lambda place: 1000)
    assert "KiB to fetch, 1000 B free in " in str(caught.value)
    assert "HF_HOME" in str(caught.value)
    assert not [asked for asked in hub.asked if "resolve" in asked]


@pytest.mark.parametrize(("count", "told"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB")])
def test_sizes_read_as_people_write_them(count: int, told: str) -> None:
    assert fetch.size(count) == told
    assert fetch.size(count * 2**30).replace("TiB", "GiB").endswith(("GiB", "0 B"))


def test_a_model_without_safetensors_is_refused(hub: Mirror) -> None:
    files = {name: body for name, body in model_files().items() if "model-" not in name}
    hub.put("models/org/tiny", files)
    with pytest.raises(InputError) as caught:
        fetch.model(model())
    assert "org/tiny has no safetensors at aaaaaaaaaaaa" in str(caught.value)
    assert "--revision refs/pr/N" in str(caught.value)


def test_only_pinned_models_of_the_hub_are_fetched(empty_home: Path) -> None:
    with pytest.raises(InputError, match="zoo models pin tiny"):
        fetch.model(model(revision=None))
    with pytest.raises(InputError, match="a model of this machine"):
        fetch.model(Catalog().get(ModelCard, "pocket-llama"))


def refusal(card: ModelCard) -> ZooError:
    """What fetching raises."""
    with pytest.raises(ZooError) as caught:
        fetch.model(card)
    return caught.value


def test_a_gated_model_says_where_to_accept_the_licence_and_no_token_is_printed(
    hub: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("models/org/tiny", model_files(), gated=True)
    for token in ("", "hf_another"):
        monkeypatch.setenv("HF_TOKEN", token)
        error = refusal(model())
        assert isinstance(error, FetchError)
        assert f"accept its licence at {hub.url}/org/tiny, then `hf auth login`" in str(error)
        assert "hf_another" not in str(error)
    monkeypatch.setenv("HF_TOKEN", GOOD_TOKEN)
    assert fetch.model(model()).path == model_folder(model())


def test_unknown_repositories_and_revisions_are_bad_input(hub: Mirror) -> None:
    assert isinstance(error := refusal(model()), InputError)
    assert "the hub shows no model 'org/tiny'" in str(error)
    hub.put("models/org/tiny", model_files(), commit="b" * 40)
    assert isinstance(error := refusal(model()), InputError)
    assert f"org/tiny has no revision '{COMMIT}'" in str(error)
    assert "no name of a repository" in str(refusal(model(repo="org/tiny/more")))


def test_without_a_network_and_offline_it_says_what_to_do(
    hub: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    told = str(refusal(model()))
    assert "http://127.0.0.1:9 could not be read" in told
    assert "HF_ENDPOINT" in told
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = str(refusal(model()))
    assert "HF_HUB_OFFLINE is set" in told
    assert str(hub_cache()) in told


def test_the_newest_data_set_is_fetched_and_read(hub: Mirror) -> None:
    hub.put("datasets/org/set", {"sub/train.jsonl": ROWS, "other.parquet": b"x" * 99})
    [found] = fetch.data(data(), Path("cache"))
    assert (found.commit, found.bytes) == (COMMIT, len(ROWS))
    [problem] = load(data())
    assert (problem.question, problem.answer) == ("1+1?", "2")
    assert problem.id.startswith("sub-train-1-")
    hub.put("datasets/org/set", {"sub/train.jsonl": ROWS * 2}, commit="b" * 40)
    assert len(load(data())) == 1  # loading never downloads
    fetch.data(data(), Path("cache"))
    assert len(load(data())) == 2
    assert len(load(data(revision=COMMIT))) == 1


def test_a_pinned_data_set_that_is_here_needs_no_network(
    hub: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("datasets/org/set", {"sub/train.jsonl": ROWS})
    card = data(revision=COMMIT)
    assert fetch.data(card, Path("cache"))[0].bytes == len(ROWS)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert fetch.data(card, Path("cache"))[0].bytes == 0


def test_a_file_that_a_data_set_lacks_is_told_with_those_it_has(hub: Mirror) -> None:
    hub.put("datasets/org/set", {"train.jsonl": ROWS, "README.md": b""})
    with pytest.raises(InputError) as caught:
        fetch.data(data(), Path("cache"))
    assert "no file sub/train.jsonl in org/set" in str(caught.value)
    assert "available: train.jsonl" in str(caught.value)


def test_fetching_a_built_set_fetches_what_it_is_made_of_and_held_against(
    hub: Mirror, empty_home: Path
) -> None:
    far = json.loads(data().model_dump_json(by_alias=True, exclude_defaults=True))
    for kind, name, said in (
        ("data", "far", far),
        ("benchmarks", "held", far | {"schema": "benchmark/1", "name": "held"}),
        ("data", "mix", {"built": {"parts": [{"data": "far"}]}, "filters": {"overlap": ["held"]}}),
    ):
        (empty_home / kind).mkdir(exist_ok=True)
        text = json.dumps({"schema": "data/1", "name": name} | said)
        (empty_home / kind / f"{name}.yaml").write_text(text)
    hub.put("datasets/org/set", {"sub/train.jsonl": ROWS})
    card = Catalog(empty_home).get(DataCard, "mix")
    assert [found.what for found in fetch.data(card, Path("cache"))] == ["org/set"]


def test_a_listing_knows_branches_tags_and_gates(hub: Mirror) -> None:
    hub.put("models/org/tiny", model_files(), gated=True)
    hub.repos["models/org/tiny"].refs["refs/pr/1"] = COMMIT
    found = listing("models", "org/tiny", "refs/pr/1")
    assert (found.commit, found.gated) == (COMMIT, True)
    assert found.sizes["config.json"] == len(model_files()["config.json"])
