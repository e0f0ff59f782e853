"""Makes a run store look as if an older grader had spoken in it, and lets it have erred."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from zoo.store import record
from zoo.store.parquet import read_parquet, write_parquet
from zoo.store.run_store import Store
from zoo.trials import identity

VERSION = "older"


def age(store: Store) -> None:
    """Rename all scores and records to those of an older grader; its verdicts are the same."""
    new_ids = {folder.name: _age_scores(folder) for folder in _folders(store, "scores")}
    for folder in _folders(store, "train"):
        if (found := record.read(folder)) is not None:
            about = found.about | {"grader": VERSION}
            record.write(folder, found.model_copy(update={"about": about}), durable=False)
        path = folder / "evals.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row |= {"scores": new_ids[row["scores"]], "grader": VERSION}
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def _age_scores(folder: Path) -> str:
    found = record.read(folder)
    assert found is not None
    payload = found.identity | {"grader": VERSION}
    id_ = f"{folder.name.rpartition('-')[0]}-{identity.digest(payload)}"
    record.write(folder, found.model_copy(update={"id": id_, "identity": payload}), durable=False)
    folder.rename(folder.with_name(id_))
    return id_


def _folders(store: Store, stage: str) -> list[Path]:
    return sorted(path.parent for path in (store.root / stage).glob("*/record.json"))


def err(path: Path, change: dict[str, Any], rows: int = 2) -> None:
    """Change columns of the first right answers of a file of verdicts or rollouts."""
    columns = read_parquet(path)
    right = [i for i, verdict in enumerate(columns["verdict"]) if verdict == "correct"][:rows]
    assert right, f"no right answer in {path}"
    for i in right:
        for name, value in change.items():
            columns[name][i] = value
    write_parquet(path, columns)
