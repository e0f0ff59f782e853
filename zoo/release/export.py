"""A trained model as a clean Hugging Face folder: safetensors, config, tokenizer, end ids and a
model card. Nothing pickled and no path of this machine goes into it, and nothing is fetched.

Only files that loading needs are copied, by name; settings files lose the paths of their origin.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from zoo.data import loadable
from zoo.data.resolve import model_folder
from zoo.errors import Fault, InputError
from zoo.release.export_card import model_card
from zoo.release.folders import must_be_free, new_folder
from zoo.runs import checkpoints, outcome
from zoo.runs.outcome import Outcome
from zoo.store.run_store import Store, read_json
from zoo.trials.trial import Trial

SETTINGS = ("config.json", "tokenizer_config.json")
TOKENIZER = (
    *("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "added_tokens.json"),
    *("special_tokens_map.json", "chat_template.jinja"),
)
PLACES = ("_name_or_path", "name_or_path", "cache_dir", "local_files_only", "is_local")
"""Keys of settings that say where a model came from on this machine."""


def export(trial: Trial, store: Store, target: Path, round_: int | None = None) -> int:
    """Write the weights of a finished trial into a new folder; returns the round that they are of.

    Args:
        target: a folder that does not exist or is empty.
        round_: None = the last round.

    Raises:
        InputError: nothing of that trial and round can be exported, or the folder is taken.
        StateError: a record or journal that cannot be read.
    """
    must_be_free(target)
    found = outcome.load_whole(trial, store)
    round_ = _round(found, round_)
    folder = _weights(found, store, round_)
    as_card = {"path": str(folder), "embedded": None, "repo": None, "revision": None}
    model_folder(trial.model.model_copy(update=as_card))
    if faults := loadable.faults(folder):
        raise InputError(faults)
    with new_folder(target) as made:
        _copy(folder, made, trial)
        (made / "README.md").write_text(model_card(found, store, round_), encoding="utf-8")
    return round_


def _round(found: Outcome, round_: int | None) -> int:
    """The round that is meant, of a trial that has weights."""
    trial, record = found.trial, found.record
    if trial.simulated:
        raise InputError(Fault(trial.id, "a simulated trial has no weights"))
    if trial.trainer == "external":
        raise InputError(Fault(trial.id, "trained elsewhere; its weights are those of its card"))
    if record is None or not record.finished():
        hint = "`zoo sweep` finishes it"
        raise InputError(Fault(trial.id, f"is {found.state}", "a finished trial", hint))
    if round_ is None:
        round_ = record.final_round
    if round_ is None:
        raise InputError(Fault(trial.id, "was stopped before it kept any weights"))
    return round_


def _weights(found: Outcome, store: Store, round_: int) -> Path:
    """The folder that holds the weights after a round."""
    assert found.record is not None
    branch = found.record.branch
    root = checkpoints.root_of(found.folder, found.record.lineage)
    folders = {
        int(folder.name.removeprefix("round-")): folder
        for place in (root, store.checkpoint(found.trial.id, 0, branch).parent)
        for folder in sorted(place.glob("round-*"))
        if folder.name.removeprefix("round-").isdecimal() and (folder / "config.json").is_file()
    }
    if round_ in folders:
        return folders[round_]
    kept = ", ".join(map(str, sorted(folders))) or "none"
    hint = "`keep: every:N` in the profile keeps more"
    raise InputError(
        Fault(f"--round {round_}", f"no weights are kept of it (kept: {kept})", hint=hint)
    )


def _copy(folder: Path, target: Path, trial: Trial) -> None:
    """Copy what loading needs."""
    weights = sorted(folder.glob("*.safetensors"))
    weights = [path for path in weights if not path.name.startswith("training_state")]
    named = [folder / name for name in (*TOKENIZER, "model.safetensors.index.json")]
    for path in [*weights, *(path for path in named if path.is_file())]:
        shutil.copyfile(path, target / path.name)
    for name in SETTINGS:
        settings = _settings(folder / name)
        if settings:
            _write(target / name, settings)
    said = _settings(folder / "generation_config.json")
    config = _settings(folder / "config.json")
    ends = said.get("eos_token_id", config.get("eos_token_id"))
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    ends = list(dict.fromkeys([*ends, *trial.model.stop_ids]))
    _write(target / "generation_config.json", said | {"eos_token_id": ends})


def _settings(path: Path) -> dict[str, Any]:
    """A settings file without its former path."""
    data: Any = read_json(path) if path.is_file() else {}
    if not isinstance(data, dict):
        raise InputError(Fault(str(path), "is no JSON object"))
    return {key: value for key, value in data.items() if key not in PLACES}


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
