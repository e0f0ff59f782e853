"""`zoo doctor --try` without training: what it refuses, what it says of a trial that dies, and what
it makes of numbers that only a GPU gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.cli import zoo
from tests.support.study_models import H100, profile, trial
from zoo.doctor import doctor_try
from zoo.doctor.doctor import DoctorFinding
from zoo.doctor.doctor_try import GAP, Tried
from zoo.doctor.peak_memory import PeakMemory, read_gpus

ROOT = Path(__file__).parents[3]
DYING = """
schema: profile/1
name: dying
about: A profile whose trials cannot start.
executor: local
env: {PYTHONHOME: /nowhere, CUDA_VISIBLE_DEVICES: ""}
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`zoo doctor --try WORDS` as a process, with `folder` as working and temporary folder."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("ZOO_")}
    (folder / "tmp").mkdir()
    return subprocess.run(
        [sys.executable, "-m", "zoo.cli.main", "doctor", "--try", *words],
        cwd=folder,
        env=env | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp")},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_unknown_profile_is_refused() -> None:
    told = zoo("doctor", "--try", "--on", "laptpo")
    assert told.status == 2
    assert "unknown profile 'laptpo'" in told.error
    assert "laptop" in told.error


def test_options_of_a_try_without_one_are_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "zoo.cli.main", "doctor", "--keep", str(tmp_path / "kept")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "--on and --keep are for --try" in done.stderr


def test_folder_to_keep_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    told = zoo("doctor", "--try", "--keep", str(tmp_path))
    assert told.status == 2
    assert "a new or an empty folder" in told.error
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_profile_with_gpus_on_a_machine_without_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "bin/nvidia-smi"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\nexit 9\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent), prepend=":")
    done = run(tmp_path, "--on", "h100", "--json")
    assert done.returncode == 2
    assert "--on h100: a trial needs 1 GPU, this machine has 0" in done.stderr
    assert done.stdout == ""
    assert list((tmp_path / "tmp").iterdir()) == []


def test_trial_that_dies_is_a_finding_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cards/profiles").mkdir(parents=True)
    (tmp_path / "cards/profiles/dying.yaml").write_text(DYING)
    done = run(tmp_path, "--on", "dying", "--json")
    assert done.returncode == 1, done.stderr
    data = json.loads(done.stdout)
    assert set(data) == {"ok", "profile", "device", "engine", "trials", "seconds", "findings"}
    assert data["ok"] is False
    failed = [finding for finding in data["findings"] if finding["level"] == "fail"]
    assert [finding["what"] for finding in failed] == ["training"]
    assert "failed [error]" in failed[0]["found"]
    assert "--keep DIR" in failed[0]["do"]
    assert "encodings" in done.stderr  # the end of the log
    assert list((tmp_path / "tmp").iterdir()) == []  # the scratch folder is gone


# -- judging numbers -------------------------------------------------------------------------------


def tried(gib: float, **said: Any) -> Tried:
    """A try on one H100 that took `gib` GiB."""
    made = Tried(profile(1, **said), 1, Path("/nowhere"))
    made.found = {"one": (trial("qwen2.5-0.5b"), None)}
    made.cards, made.gpus = {"0": (H100.name, 0.0, H100.memory_gib)}, {"0": gib}
    return made


def memory(made: Tried) -> DoctorFinding:
    (found,) = doctor_try._memory(made)
    return found


def test_gpu_memory_is_judged_beside_the_memory_model() -> None:
    estimate = doctor_try._estimate(tried(1.0), H100.name, H100.memory_gib)
    assert estimate is not None
    assert memory(tried(estimate)).level == "ok"
    assert memory(tried(estimate)).found.endswith(f"estimated: {estimate:.1f}")
    over = memory(tried(estimate + 0.11 * H100.memory_gib))
    assert over.level == "fail"
    assert "memory model is too low" in over.do


def test_gpu_that_no_trial_touched_is_a_fault() -> None:
    found = memory(tried(0.1))
    assert found.level == "fail"
    assert "CUDA_VISIBLE_DEVICES" in found.do


def test_card_that_the_profile_does_not_state_is_taken_as_it_is() -> None:
    made = tried(1.0, gpu=None)
    assert doctor_try._estimate(made, "L4", 22.5) is not None


@pytest.mark.parametrize(
    ("gaps", "level"),
    [([0.01, 0.19], "ok"), ([0.01, 0.21], "fail"), ([0.01, None], "fail"), ([None], "fail")],
)
def test_gap_of_engine_and_trainer_has_a_limit(gaps: list[float | None], level: str) -> None:
    rounds = {i: {"metrics": {GAP: gap}} for i, gap in enumerate(gaps, start=1)}
    rows = {"one": SimpleNamespace(rounds={0: {"metrics": {}}} | rounds)}
    (found,) = doctor_try._gap(tried(1.0), rows)
    assert found.level == level


@pytest.mark.parametrize(
    ("attempt", "about", "level", "said"),
    [
        (2, {"resumed_from": 2}, "ok", "killed after round 2, continued there"),
        (2, {}, "fail", "to be killed after round 2; continued after round 0"),
        (1, {}, "fail", "to be killed after round 2; was never killed"),
    ],
)
def test_trial_has_to_continue_where_it_was_killed(
    attempt: int, about: dict[str, Any], level: str, said: str
) -> None:
    record = SimpleNamespace(attempt=attempt, about=about)
    (found,) = doctor_try._killed([record])  # type: ignore[list-item]
    assert (found.level, found.found) == (level, said)


def test_a_trial_a_gpu_is_tried() -> None:
    assert doctor_try._trials(profile(None), 4) == 4
    assert doctor_try._trials(profile(2), 4) == 2
    assert doctor_try._trials(profile(None, gpus_per_trial=0.5), 2) == 2
    assert doctor_try._trials(profile(None, None, device="cpu", gpus_per_trial=0), 0) == 1


def test_memory_of_gpus_is_read_and_counted_above_what_was_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used, fake = tmp_path / "used", tmp_path / "nvidia-smi"
    fake.write_text(
        f"#!/bin/sh\nread n < {used}\n"
        'echo "0, GPU-a, NVIDIA L4, $n, 23034"\necho "1, GPU-b, NVIDIA L4, [N/A], 23034"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    used.write_text("1024\n")
    assert read_gpus(["GPU-a", "1"]) == {"GPU-a": ("NVIDIA L4", 1.0, 23034 / 1024)}
    watch = PeakMemory(tmp_path, ["0"])
    for mib in (5120, 2048):
        used.write_text(f"{mib}\n")
        watch._look()
    assert watch.gpus == {"0": 4.0}
