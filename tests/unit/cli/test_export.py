"""`zoo export`: a clean Hugging Face folder of a trial's weights, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.support.cli import files, zoo
from zoo.catalog import Catalog
from zoo.data import LocalResolver
from zoo.manifest.load import read
from zoo.planning.expand import expand
from zoo.pocket import generator as pocket
from zoo.store import journal, record
from zoo.store.record import Record
from zoo.store.run_store import Store
from zoo.trials.trial import Trial

EMBEDDED = Path(pocket.__file__).parent / "models"
MANIFEST = Path("experiments/tiny.yaml")


def trials() -> list[Trial]:
    return expand(read(MANIFEST), Catalog(), LocalResolver())


@pytest.fixture
def trial(folder: Path) -> Trial:
    """A finished trial of a real trainer, as it leaves its folder; the weights of round 2 are the
    pocket model's, those of round 3 the same a little off."""
    MANIFEST.write_text(MANIFEST.read_text().replace("trainer: simulated\n", ""))
    found = next(t for t in trials() if t.id.startswith("pocket-llama.box"))
    finish(found)
    return found


def finish(trial: Trial, **about: object) -> None:
    store = Store()
    at = store.train(trial.id)
    for round_ in (2, 3):
        kept = store.checkpoint(trial.id, round_)
        shutil.copytree(EMBEDDED / "pocket-llama", kept)
        (kept / "training_args.bin").write_bytes(b"\x80\x04pickle")
        (kept / "trainer_state.json").write_text("{}")
        config = json.loads((kept / "config.json").read_text())
        config["_name_or_path"] = "/home/somebody/models/llama"
        (kept / "config.json").write_text(json.dumps(config))
    for round_ in (0, 1, 2, 3):
        row = {"attempt": 1, "lineage": 1, "round": round_, "time": 1.0, "metrics": {}}
        journal.append(at / "metrics.jsonl", row)
    evaluation = next(e for e in trial.evaluations if e.decoding_name == "t0")
    for round_, acc in ((0, 0.25), (3, 0.75)):
        row = {"attempt": 1, "lineage": 1, "round": round_, "key": evaluation.key}
        row |= {"benchmark": "pocket-easy", "decoding": "t0", "problems": 4, "each": 1, "n": 4}
        row |= {"values": {"acc": acc}, "samples": "a", "scores": "b", "grader": "3"}
        journal.append(at / "evals.jsonl", row)
    versions = {"zoo": "0.2.0", "trl": "1.16.0", "commit": "abc"}
    record.write(
        at,
        Record(
            form=record.FORM,
            id=trial.id,
            stage="train",
            state="done",
            round=3,
            about={"provenance": versions} | about,
        ),
    )


def export(*words: str) -> str:
    told = zoo("export", "tiny", "llama.box", *words)
    assert told.status == 0, told
    return told.text


def test_export_writes_what_loading_needs_and_nothing_else(trial: Trial) -> None:
    assert export("out/model") == f"{trial.id} after round 3: out/model\n"
    assert sorted(path.name for path in Path("out/model").iterdir()) == [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert [path.name for path in Path("out").iterdir()] == ["model"]


def test_export_names_no_path_of_this_machine(trial: Trial, tmp_path: Path) -> None:
    export("out")
    for path in Path("out").glob("*.[jm]*"):
        if path.suffix != ".safetensors":
            text = path.read_text(encoding="utf-8")
            assert "/home" not in text
            assert str(tmp_path) not in text


def test_card_says_how_the_model_was_made_and_scored(trial: Trial) -> None:
    export("out")
    card = Path("out/README.md").read_text()
    assert "rounds: 3 of 3" in card
    assert f"digest `{trial.data_digest}`" in card
    assert "reward: box-strict" in card
    assert "seed: 0" in card
    assert "| 4 | 1 | 25.0 | 75.0 | 30.1 to 95.4 |" in card
    assert "over problems alone" in card
    assert "zoo 0.2.0, trl 1.16.0" in card
    assert f"`{trial.model_digest}` (digest of its files)" in card
    assert "| `loss_type` |" in card
    assert "licence of the base model: " in card


def test_card_of_a_hub_model_names_its_commit_and_licence(trial: Trial) -> None:
    from zoo.release.export_card import model_card
    from zoo.runs import outcome

    where = {"repo": "org/base", "revision": "a" * 40, "embedded": None, "license": "apache-2.0"}
    other = trial.model_copy(update={"model": trial.model.model_copy(update=where)})
    card = model_card(outcome.load(other, Store()), Store(), 3)
    assert 'base_model: "org/base"' in card
    assert f"`org/base` at commit `{'a' * 40}`" in card
    assert 'license: "apache-2.0"' in card


def test_end_ids_are_those_that_the_trial_used(trial: Trial) -> None:
    from zoo.release.export import export as write

    more = trial.model.model_copy(update={"stop_ids": (7, 1)})
    write(trial.model_copy(update={"model": more}), Store(), Path("out"))
    before = json.loads((EMBEDDED / "pocket-llama/generation_config.json").read_text())
    ends = before["eos_token_id"]
    ends = ends if isinstance(ends, list) else [ends]
    found = json.loads(Path("out/generation_config.json").read_text())
    assert found["eos_token_id"] == list(dict.fromkeys([*ends, 7, 1]))


def test_exported_model_loads_and_computes_the_same_logits(trial: Trial) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    export("out", "--round", "2")
    kept = Store().checkpoint(trial.id, 2)
    models = [transformers.AutoModelForCausalLM.from_pretrained(f) for f in (kept, "out")]
    tokenizer = transformers.AutoTokenizer.from_pretrained("out")
    ids = torch.tensor([tokenizer("What is 2+3?")["input_ids"]])
    with torch.no_grad():
        kept_logits, logits = (model(input_ids=ids).logits for model in models)
    assert torch.equal(kept_logits, logits)


# -- what is refused -------------------------------------------------------------------------------


def refused(*words: str) -> str:
    before = files(Path())
    told = zoo("export", "tiny", *words)
    assert (told.status, told.text) == (2, ""), told
    assert files(Path()) == before
    return told.error


def test_folder_that_is_not_empty_is_refused(trial: Trial) -> None:
    Path("out").mkdir()
    Path("out/mine").write_text("x")
    assert "out: the folder is not empty" in refused("llama.box", "out")


def test_file_in_the_way_is_refused(trial: Trial) -> None:
    Path("out").write_text("x")
    assert "there is a file of that name" in refused("llama.box", "out")


def test_empty_folder_is_used(trial: Trial) -> None:
    Path("out").mkdir()
    export("out")
    assert Path("out/config.json").is_file()


def test_round_without_weights_is_refused_with_those_that_are_kept(trial: Trial) -> None:
    told = refused("llama.box", "out", "--round", "1")
    assert "--round 1: no weights are kept of it (kept: 2, 3)" in told


def test_trial_that_is_not_finished_is_refused(trial: Trial) -> None:
    assert "is missing; expected a finished trial" in refused("llama.correctness", "out")


def test_simulated_trial_is_refused(swept: Path) -> None:
    assert "a simulated trial has no weights" in refused("llama.box", "out")


def test_unknown_trial_is_refused(trial: Trial) -> None:
    assert "names no trial of 'tiny'" in refused("gpt", "out")


def test_truncated_weights_are_refused(trial: Trial) -> None:
    weights = Store().checkpoint(trial.id, 3) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "model.safetensors" in refused("llama.box", "out")


def test_pickled_weights_alone_are_refused(trial: Trial) -> None:
    kept = Store().checkpoint(trial.id, 3)
    (kept / "model.safetensors").rename(kept / "pytorch_model.bin")
    assert "only pickled weights, which are never read" in refused("llama.box", "out")
