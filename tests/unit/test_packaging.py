"""The wheel holds what zoo needs, the locks what the extras ask for, and make takes the right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
UNWANTED = {"torchvision", "torchaudio", "torchcodec"}


def lock(name: str) -> dict[str, Version]:
    """Package -> version of a requirements file."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if line and not line.startswith("#")]
    found = {canonicalize_name(package): Version(version) for package, version in pins}
    assert len(found) == len(pins), "a package twice"
    return found


def asked(extra: str) -> list[Requirement]:
    """What an extra asks for beside the core; extras of zoo itself written out."""
    found: list[Requirement] = []
    for text in PROJECT["optional-dependencies"][extra]:
        requirement = Requirement(text)
        if requirement.name == "zoo":
            found += [r for inner in requirement.extras for r in asked(inner)]
        else:
            found.append(requirement)
    return found + [Requirement(text) for text in PROJECT["dependencies"]]


def make(*words: str, path: str | None = None) -> str:
    """What `make -n` would do, with `path` before PATH."""
    env = {k: v for k, v in os.environ.items() if k not in ("KIND", "VENV", "MAKEFLAGS")}
    env["PATH"] = f"{path}:{env['PATH']}" if path else env["PATH"]
    command = ["make", "-n", *words]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    ("extra", "locks"),
    [("cpu", ["cpu", "torch-cpu"]), ("dev", ["cpu", "dev"]), ("gpu", ["gpu"])],
)
def test_a_lock_holds_what_its_extra_asks_for(extra: str, locks: list[str]) -> None:
    pins = {package: version for name in locks for package, version in lock(name).items()}
    for requirement in asked(extra):
        found = pins.get(canonicalize_name(requirement.name))
        assert found is not None, f"{requirement} is not in {locks}"
        assert requirement.specifier.contains(found, prereleases=True), f"{requirement}: {found}"


def test_the_cpu_lock_leaves_out_what_breaks_the_cpu_build_of_torch() -> None:
    assert not UNWANTED & {*lock("cpu"), *lock("dev"), *lock("torch-cpu")}
    assert lock("torch-cpu") == {"torch": Version("2.13.0+cpu")}


def test_the_cpu_and_dev_locks_do_not_overlap() -> None:
    assert not lock("cpu").keys() & lock("dev").keys()


def test_what_the_locked_packages_need_is_locked_but_for_what_is_left_out_on_purpose() -> None:
    from importlib.metadata import PackageNotFoundError, requires

    left_out = UNWANTED | {"triton", "numba", "opencv-python-headless"}
    left_out |= {"scikit-learn", "scipy", "skops"}
    pins = lock("cpu") | lock("torch-cpu") | lock("dev")
    here = {name: str(value) for name, value in default_environment().items()} | {"extra": ""}
    missing: dict[str, str] = {}
    for package in pins:
        try:
            needs = [Requirement(text) for text in requires(package) or []]
        except PackageNotFoundError:
            pytest.skip(f"{package} is not installed; `make setup` installs the lock")
        for need in needs:
            name = canonicalize_name(need.name)
            if need.marker and not need.marker.evaluate(here):
                continue
            if name not in pins and name not in left_out:
                missing[name] = package
            elif name in pins and not need.specifier.contains(pins[name], prereleases=True):
                missing[f"{need} (locked {pins[name]})"] = package
    assert missing == {}


def test_setup_takes_the_cpu_lock_where_there_is_no_gpu(tmp_path: Path) -> None:
    fake_gpu(tmp_path, status=9)
    text = make("setup", f"VENV={tmp_path / 'v'}", path=str(tmp_path))
    assert "--no-deps -r requirements/cpu.txt -r requirements/dev.txt" in text
    assert "--index-url https://download.pytorch.org/whl/cpu -r requirements/torch-cpu.txt" in text
    assert "[gpu" not in text


def test_setup_takes_the_gpu_extra_where_nvidia_smi_finds_a_gpu(tmp_path: Path) -> None:
    fake_gpu(tmp_path, status=0)
    text = make("setup", f"VENV={tmp_path / 'v'}", path=str(tmp_path))
    assert '-c requirements/gpu.txt -e ".[gpu,dev]"' in text
    assert "cpu.txt" not in text


def test_setup_runs_again_only_when_a_lock_changed(tmp_path: Path) -> None:
    fake_gpu(tmp_path, status=9)
    venv = tmp_path / "v"
    venv.mkdir()
    (venv / ".installed-cpu").touch()
    words = ("setup", f"VENV={venv}")
    assert "pip" not in make(*words, path=str(tmp_path))
    assert "pip" in make(*words, "-W", "requirements/cpu.txt", path=str(tmp_path))


def test_every_command_of_the_makefile_is_explained() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (help .*)$", text, re.MULTILINE)
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"^  make (\S+) +\S", done.stdout, re.MULTILINE) == phony.split()


def test_ci_runs_the_tests_as_the_readme_says() -> None:
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == "exec make test"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert "bash .ci/run" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of what git tracks (and so from nothing that lies about)."""
    pytest.importorskip("hatchling", reason="`make setup` installs the build backend")
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    for name in ("zoo", "experiments", "requirements"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "Makefile"):
        shutil.copy(ROOT / name, source)
    code = "from hatchling.build import build_wheel; import sys; print(build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (found,) = out.glob("zoo-*.whl")
    return found


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "zoo").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there <= inside
    assert any(name.endswith("pocket.yaml") for name in inside)
    assert any(name.endswith(".safetensors") for name in inside)
    assert "zoo/trlspec/trl_fields.json" in inside


def test_the_wheel_is_small_and_holds_nothing_else(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"zoo"}
    assert wheel.stat().st_size < 10_000_000


def test_the_wheel_asks_for_three_packages_and_offers_the_extras(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [n for n in archive.namelist() if n.endswith("dist-info/METADATA")]
    lines = archive.read(metadata).decode().splitlines()
    plain = [line for line in lines if line.startswith("Requires-Dist") and "extra ==" not in line]
    assert sorted(line.split()[1].split(">")[0].split("<")[0] for line in plain) == [
        "click",
        "pydantic",
        "pyyaml",
    ]
    assert {"cpu", "gpu", "dev"} <= {
        line.split()[1] for line in lines if line.startswith("Provides-Extra")
    }
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def fake_gpu(folder: Path, status: int) -> None:
    """Put an nvidia-smi that ends with `status` into a folder."""
    fake = folder / "nvidia-smi"
    fake.write_text(f"#!/bin/sh\nexit {status}\n")
    fake.chmod(0o755)
