"""What of a sweep's report goes to its parent run: the page, tables and figures, and the verdicts.

Reads the files that the report leaves beside its page; imports no MLflow.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.manifest.schema import Experiment
from zoo.track.shared_view import note

NOTE = "mlflow.note.content"
"""The tag that MLflow shows as description."""
FOLDERS = {"report/figures": ("figures", "*.svg"), "report/tables": ("tables", "*.csv")}
"""Folder beside the page -> folder of artifacts, and which files. MLflow shows SVG as images and
CSV as tables."""
TABLES = ("cells.csv", "claims.csv", "results.csv")


@dataclass(frozen=True)
class SweepRun:
    """The run of a sweep, as MLflow has it."""

    experiment_id: str
    run_id: str
    tags: Mapping[str, str]


def keep_report(
    client: Any, at: SweepRun, experiment: Experiment, report: Path, shown: str
) -> None:
    """The page, its tables and figures, and a description with the verdicts; nothing of it where
    MLflow has the same. `shown`: where the report lies, as people are told."""
    page = f"#/experiments/{at.experiment_id}/runs/{at.run_id}/artifacts/{report.name}"
    text = note(experiment, shown, page, verdicts(report))
    if at.tags.get(NOTE) != text:
        client.set_tag(at.run_id, NOTE, text)
        client.set_experiment_tag(at.experiment_id, NOTE, text)
    files = report_files(report)
    digest = files_digest(files)
    if at.tags.get("zoo.report") == digest:
        return
    for path, place in files.items():
        client.log_artifact(at.run_id, str(path), place or None)
    client.set_tag(at.run_id, "zoo.report", digest)


def report_files(report: Path) -> dict[Path, str]:
    """Files that are there -> folder of artifacts; empty for the top."""
    top = [report, *(report.with_name(name) for name in TABLES)]
    found = {path: "" for path in top if path.is_file()}
    for folder, (place, pattern) in FOLDERS.items():
        found |= dict.fromkeys(sorted((report.parent / folder).glob(pattern)), place)
    return found


def files_digest(files: Mapping[Path, str]) -> str:
    """Digest of names and contents."""
    made = hashlib.sha256()
    for path, place in files.items():
        made.update(f"{place}/{path.name}\0".encode() + path.read_bytes() + b"\0")
    return made.hexdigest()[:16]


def verdicts(report: Path) -> list[str]:
    """A line for each comparison of each claim, from `claims.csv` beside the page; none without."""
    try:
        text = report.with_name("claims.csv").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    rows = csv.DictReader(text.splitlines())
    return [_line(row) for row in rows]


def _line(row: Mapping[str, str]) -> str:
    label = f" ({row['label']})" if row.get("label") else ""
    word = row.get("verdict") or "no verdict"
    return (
        f"**{word}**: {row.get('says') or row.get('id')}{label} {row.get('sentence', '')}".strip()
    )
