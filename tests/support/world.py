"""A small world of cards and manifests in which every field that could bear on a result does:
models by folder, by repository and in the package; problems from every kind of source.

`documents` are its YAML files as plain values; a test changes one value and looks at which ids
move.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.model_folders import write_smallest_model
from zoo.catalog import Card, Catalog, ProblemCard
from zoo.data import LocalResolver
from zoo.evals.stages import sample_identity
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials import identity

Documents = dict[str, Any]
STUDY, OUTSIDE = "experiments/study.yaml", "experiments/outside.yaml"
STACK = {"torch": "2.13"}
COMMITS = ("a" * 40, "b" * 40)
ROWS = [
    {"problem": "What is 1 + 1?", "answer": "two #### 2", "sum": "1 + 1", "level": "1"},
    {"problem": "What is 2 + 2?", "answer": "four #### 4", "sum": "2 + 2", "level": "2"},
    {"problem": "What is  2 + 2?", "answer": "four #### 4", "sum": "2 + 2", "level": "2"},
    {"problem": "What is, " * 8 + "1?", "answer": "one #### 1", "sum": "1", "level": "3"},
    {"problem": "What is held out?", "answer": "it #### 5", "sum": "0 + 5", "level": "3"},
]


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of everything in a world, and how often each is there: hashes of trials, and of
    samples and scores of the models at round 0."""

    train: Counter[str]
    samples: Counter[str]
    scores: Counter[str]

    def moved(self, other: Ids) -> str:
        """The earliest stage at which something has another id, and did not only come or go:
        train, sample, score or none."""
        stages = {"train": "train", "samples": "sample", "scores": "score"}
        for field, stage in stages.items():
            one, two = getattr(self, field), getattr(other, field)
            if one - two and two - one:
                return stage
        return "none"


class Unsized(LocalResolver):
    """A resolver that counts nothing: the sets of a world are smaller than its rounds."""

    def size(self, card: ProblemCard) -> int | None:
        return None


class World:
    """The files of a world other than YAML, laid into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.resolver = Unsized(folder / "cache")
        for weights, name in enumerate(("one", "two"), start=1):
            write_smallest_model(folder / "models" / name, weights)
        _jsonl(folder / "own.jsonl", ROWS)
        _jsonl(folder / "other.jsonl", ROWS[1:])
        _jsonl(folder / "held.jsonl", ROWS[4:])
        hub = folder / "hub" / "datasets--org--set" / "snapshots"
        for n, commit in enumerate(COMMITS):
            _jsonl(hub / commit / "train.jsonl", ROWS[n:])
            _jsonl(hub / commit / "test.jsonl", ROWS[n + 1 :])
        other = folder / "hub" / "datasets--org--other" / "snapshots" / COMMITS[0]
        _jsonl(other / "train.jsonl", ROWS[3:])
        for rows in (ROWS, ROWS[1:]):
            _jsonl(folder / "cache" / "files" / f"{digest_of(rows)}.jsonl", rows)

    def _placed(self, document: dict[str, Any]) -> dict[str, Any]:
        """A card whose path starts at the world's folder, wherever the card is written."""
        changes: dict[str, Any] = {}
        if isinstance(path := document.get("path"), str):
            changes["path"] = str(self.folder / path)
        if local := document.get("local"):
            changes["local"] = local | {"path": str(self.folder / local["path"])}
        return document | changes

    def ids(self, documents: Documents, folder: Path, made: Sequence[Card] = ()) -> Ids:
        """All ids, with the YAML files written into another folder (JSON is YAML). `made`: cards
        that no file holds."""
        for name, document in documents.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(self._placed(document)), encoding="utf-8")
        catalog = Catalog(folder / "cards", made=made)
        paths = (folder / "experiments").glob("*.yaml")
        trials = [t for path in paths for t in expand(load(path), catalog, self.resolver)]
        found = Ids(Counter(trial.id.rsplit("-", 1)[1] for trial in trials), Counter(), Counter())
        for trial in {trial.model.name: trial for trial in trials}.values():
            for evaluation in trial.evaluations:
                _, payload = sample_identity(trial, evaluation, 0, STACK)
                sample = identity.digest(payload)
                score = identity.score_payload(sample, evaluation.benchmark.extract, "1")
                found.samples[sample] += 1
                found.scores[identity.digest(score)] += 1
        return found


def changed(file: str, path: Sequence[str | int], value: Any) -> Documents:
    """The documents with one value changed or added."""
    found = documents()
    *parents, last = path
    at = found[file]
    for key in parents:
        at = at[key]
    at[last] = value
    if file == STUDY and path == ("name",):
        found[f"experiments/{value}.yaml"] = found.pop(STUDY)
    return found


def renamed(kind: str, old: str, new: str) -> Documents:
    """The documents with another name for a card, wherever it stands."""
    text = json.dumps(documents()).replace(f"{kind}/{old}.yaml", f"{kind}/{new}.yaml")
    return json.loads(text.replace(f'"{old}"', f'"{new}"'))


def digest_of(rows: list[dict[str, Any]]) -> str:
    """SHA-256 of rows as a file."""
    return sha256(_text(rows).encode()).hexdigest()


def _text(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(rows), encoding="utf-8")


def documents() -> Documents:
    """The YAML files by path. Paths in them are relative to the world's folder."""
    found: Documents = {}

    def card(folder: str, form: str, name: str, /, **fields: Any) -> None:
        found[f"cards/{folder}/{name}.yaml"] = {"schema": f"{form}/1", "name": name} | fields

    said = {"prompt": "ask", "cap": 512, "beta": 0.1, "stop_ids": [5]}
    trained = {"by": "us", "reward": "half", "data": "local-set", "rounds": 9}
    after = {"repo": "org/after", "revision": COMMITS[0], "base": "by-folder", "trained": trained}
    card("models", "model", "by-folder", path="models/one", **said)
    card("models", "model", "by-repo", repo="org/model", revision=COMMITS[0], **said)
    card("models", "model", "in-package", embedded="pocket-llama", **said)
    card("models", "model", "after", **after, **said)
    for source, fields in _problems().items():
        card("data", "data", f"{source}-set", **fields)
        card("benchmarks", "benchmark", f"{source}-test", **fields)
    card("data", "data", "leveled", local={"path": "own.jsonl", "columns": {"level": "level"}})
    card("benchmarks", "benchmark", "held", local={"path": "held.jsonl"})
    card("rewards", "reward", "half", kind="gate", params={"right": 0.5})
    card("rewards", "reward", "wrong", kind="inverted")
    card("prompts", "prompt", "ask", template="Q: {problem}")
    card("prompts", "prompt", "tell", template="Tell me why this may be: {problem}")
    grpo = {"beta": "from-card", "max_completion_length": "from-card", "learning_rate": 1e-6}
    batch = {"prompts": 8, "num_generations": 4, "updates": 1}
    slow = grpo | {"lr_scheduler_type": "linear", "entropy_coef": 0.01}
    card("recipes", "recipe", "slow", batch=batch | {"micro_batch": 2}, grpo=slow, peft={"r": 2})
    fast = grpo | {"lr_scheduler_type": "constant"}
    card("recipes", "recipe", "fast", batch=batch, grpo=fast)
    found |= {STUDY: _study(said), OUTSIDE: _outside()}
    return json.loads(json.dumps(found))  # nothing is shared between two files


def _problems() -> Documents:
    """Source -> fields of a card of problems."""
    columns = {"problem": "problem", "answer": "answer"}
    source = {"repo": "org/code", "commit": COMMITS[0], "path": "a.jsonl"}
    return {
        "local": {
            "local": {"path": "own.jsonl", "columns": columns},
            "filters": {"max_prompt_chars": 40},
        },
        "hub": {"hub": {"repo": "org/set", "revision": COMMITS[0], "files": ["train.jsonl"]}},
        "away": {"hub": {"repo": "org/away", "files": ["a.jsonl"]}, "digest": "0" * 16},
        "git": {"git": source | {"sha256": digest_of(ROWS)}},
        "pocket": {"pocket": {"level": "easy", "split": "train", "n": 20, "seed": 0}},
        "built": {"built": {"parts": [{"data": "leveled"}]}},
    }


def _study(said: dict[str, Any]) -> dict[str, Any]:
    columns = {"problem": "problem", "answer": "answer"}
    file_in_place = {"path": "other.jsonl", "columns": columns}
    sets = [f"{source}-set" for source in _problems()]
    tests = [f"{source}-test" for source in _problems()]
    return {
        "schema": "experiment/1",
        "name": "study",
        "question": "Does it move?",
        "recipe": "slow",
        "grid": {
            "model": ["by-folder", "by-repo", "in-package", {"path": "models/two", **said}],
            "reward": ["half"],
            "data": [*sets, file_in_place],
        },
        "rounds": 4,
        "overrides": [{"when": {"model": "by-repo"}, "set": {"grpo.temperature": 0.9}}],
        "exclude": [{"model": "in-package", "data": "git-set", "why": "so"}],
        "include": [{"model": "in-package", "data": "git-set", "why": "or so"}],
        "evaluate": {
            "watch": {"benchmarks": ["held"], "problems": 1, "at": [0, "last"]},
            "full": {"benchmarks": [*tests, file_in_place], "at": [0, "last"]},
            "decoding": {"t1": {"temperature": 1.0}, "t0": {"temperature": 0.0}},
        },
    }


def _outside() -> dict[str, Any]:
    in_place = {"path": "models/two", "prompt": "ask", "base": "by-folder"}
    return {
        "schema": "experiment/1",
        "name": "outside",
        "question": "Does that move?",
        "recipe": "slow",
        "trainer": "external",
        "grid": {"model": ["after", in_place], "reward": "half", "data": "local-set"},
        "rounds": 4,
        "evaluate": {"full": {"benchmarks": ["held"], "at": [0, "last"]}},
    }
