"""`zoo doctor --try` on a CPU, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.sweeps import command, left_running
from zoo.store import record as records


def test_doctor_tries_this_machine(tmp_path: Path) -> None:
    words = ("--try", "--on", "cpu-transformers", "--json", "--keep", "kept")
    done = command(tmp_path, "doctor", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)
    assert (data["ok"], data["device"], data["trials"]) == (True, "cpu", 1)
    found = {finding["what"]: finding["found"] for finding in data["findings"]}
    assert list(found) == [
        *("training", "kill and resume", "engine and trainer", "memory", "evaluations", "speed")
    ]
    assert found["training"] == "1 of 1 done"
    assert found["kill and resume"] == "killed after round 2, continued there"
    assert found["memory"].endswith("(4 are counted)")
    said = done.stderr.splitlines()
    assert any("killed (SIGKILL) after its checkpoint of round 2" in line for line in said)
    assert any("continues after round 2" in line for line in said)
    assert {path.name for path in tmp_path.iterdir()} == {"kept"}
    (folder,) = (tmp_path / "kept/runs/train").iterdir()
    record = records.read(folder)
    assert record is not None
    assert (record.attempt, record.lineage) == (2, 1)
    assert record.about["resumed_from"] == 2
    assert left_running(tmp_path) == []
