"""`zoo doctor` reports what is there, what is missing and what to do, and starts nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from zoo.doctor import doctor
from zoo.doctor.doctor import DoctorFinding, Machine

GOOD = Machine(
    system="Linux x86_64",
    python="3.11.7",
    cores=2,
    memory_gib=24.0,
    shm_gib=12.0,
    disk_free_gib=50.0,
    runs="/tmp",
    gpus=(),
    profile="laptop (CPU)",
)
ALL = {name: "1.0" for name in (*doctor.CORE, *doctor.RUN, *doctor.GRADE)} | {
    "torch": "2.13.0+cpu",
    "transformers": "5.17.0",
    "trl": "1.16.0",
    "vllm": "0.31.0",
}


def judged(machine: Machine, packages: dict[str, str | None]) -> dict[str, DoctorFinding]:
    """Findings that are not ok, by what they are about."""
    return {f.what: f for f in doctor.judge(machine, packages) if f.level != "ok"}


@pytest.fixture(autouse=True)
def _plain_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_a_good_machine_has_nothing_to_mend() -> None:
    assert judged(GOOD, dict(ALL)) == {}


def test_missing_packages_are_named_with_the_command_that_installs_them() -> None:
    finding = judged(GOOD, ALL | {"ray": None, "sympy": None})["packages"]
    assert (finding.level, finding.found) == ("fail", "missing: ray, sympy")
    assert "make setup" in finding.do


@pytest.mark.parametrize(
    ("name", "version"), [("trl", "1.17.0"), ("vllm", "0.32.1"), ("transformers", "5.18.0")]
)
def test_versions_that_do_not_accept_each_other_are_named(name: str, version: str) -> None:
    finding = judged(GOOD, ALL | {name: version})[f"{name} {version}"]
    assert finding.level == "fail"
    assert "outside the supported range" in finding.found


def test_the_ranges_are_those_of_the_package() -> None:
    assert set(doctor.supported()) == {"trl", "vllm", "transformers"}


def test_torchvision_beside_the_cpu_build_of_torch_is_a_known_trap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "installed", lambda name: "0.28" if "vision" in name else None)
    finding = judged(GOOD, dict(ALL))["torchvision"]
    assert finding.level == "fail"
    assert finding.do == "`pip uninstall torchvision`"
    assert "torchvision" not in judged(GOOD, ALL | {"torch": "2.13.0"})


def test_a_full_disk_little_memory_and_little_shared_memory_are_seen() -> None:
    small = replace(GOOD, disk_free_gib=0.3, memory_gib=2.0, shm_gib=0.06)
    found = judged(small, dict(ALL))
    assert found["disk"].level == "fail"
    assert "ZOO_RUNS" in found["disk"].do
    assert (found["memory"].level, found["shared memory"].level) == ("warn", "warn")


def test_a_gpu_with_the_cpu_build_of_torch_is_seen() -> None:
    found = judged(replace(GOOD, gpus=("NVIDIA H200, 143771 MiB",)), dict(ALL))
    assert found["torch"].found == "a GPU, but torch is the CPU build"


def test_threads_and_offline_switches_of_the_shell_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    findings = {f.what: f for f in doctor.judge(GOOD, dict(ALL))}
    assert findings["threads"].level == "warn"
    assert findings["hub"].level == "ok"


def test_the_text_ends_in_a_verdict() -> None:
    good = doctor.as_text(GOOD, dict(ALL), [])
    assert good.endswith("ready: `zoo sweep experiments/pocket.yaml` (0 to fix, 0 to note)")
    bad = doctor.as_text(GOOD, ALL | {"ray": None}, list(doctor.judge(GOOD, ALL | {"ray": None})))
    assert bad.endswith("sweeps cannot run here yet (1 to fix, 0 to note)")
    assert "ray -" in bad


def test_json_and_exit_status_agree(capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor.run(as_json=True)
    data = json.loads(capsys.readouterr().out)
    assert status == (0 if data["ok"] else 1)
    assert set(data) == {"ok", "machine", "packages", "findings"}
    assert data["machine"]["cores"] >= 1
    assert data["packages"]["pydantic"]
    assert doctor.run(as_json=False) == status


def test_looking_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_RUNS", str(tmp_path / "deep" / "runs"))
    doctor.run(as_json=True)
    assert list(tmp_path.iterdir()) == []


def test_a_gpu_is_found_through_nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert doctor.find_gpus() == ("NVIDIA H200, 143771 MiB",)
    fake.write_text("#!/bin/sh\nexit 9\n")
    assert doctor.find_gpus() == ()


def test_machine_without_vllm_runs_with_the_other_engine() -> None:
    found = judged(replace(GOOD, system="Linux aarch64"), ALL | {"vllm": None})
    assert {what: finding.level for what, finding in found.items()} == {
        **{"engine": "warn", "system": "warn"}
    }
    assert found["engine"].found.startswith("transformers alone: vLLM is not installed")
    assert "--on cpu-transformers" in found["engine"].do
    assert judged(replace(GOOD, system="Darwin arm64"), dict(ALL))["system"].level == "fail"
