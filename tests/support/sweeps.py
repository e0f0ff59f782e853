"""Sweeps as processes that tests interrupt, and a look at what they leave running."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from zoo.launching import warm_starts

ROOT = Path(__file__).parents[2]
MARK = "ZOO_TEST_MARK"


def environment(folder: Path, **env: str) -> dict[str, str]:
    """Ours, without zoo's own variables, and with a mark that all that starts from it has."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "MLFLOW"))}
    return kept | {"PYTHONPATH": str(ROOT), MARK: str(folder)} | env


def start(
    folder: Path, *words: str, manifest: str = "tiny.yaml", **env: str
) -> subprocess.Popen[str]:
    """Start `zoo sweep MANIFEST WORDS` in `folder`; output goes to `folder/out.txt`."""
    with (folder / "out.txt").open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "zoo.cli.main", "sweep", manifest, *words],
            cwd=folder,
            env=environment(folder, **env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def finish(folder: Path, *words: str, **env: str) -> str:
    """Run the sweep to its end, which has to be a good one; returns what it printed."""
    status = start(folder, *words, **env).wait(timeout=240)
    told = (folder / "out.txt").read_text()
    assert status == 0, told
    return told


def command(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `zoo WORDS` in `folder` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "zoo.cli.main", *words],
        cwd=folder,
        env=environment(folder, **env),
        capture_output=True,
        text=True,
        timeout=400,
    )


def real(folder: Path, *words: str, **env: str) -> str:
    """Run `zoo sweep WORDS --on laptop` in `folder` to its good end; returns what it printed."""
    done = command(folder, "sweep", *words, "--on", "laptop", **env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def left_running(folder: Path, patience_s: float = 15.0) -> list[str]:
    """Command lines of processes that carry the mark, after they had some time to go."""
    end = time.monotonic() + patience_s
    while (found := marked(folder)) and time.monotonic() < end:
        time.sleep(0.1)
    return [command for _, command in found]


def marked(folder: Path) -> list[tuple[int, str]]:
    """Pids and command lines of all running processes that carry the mark."""
    wanted = f"{MARK}={folder}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and wanted in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_text().replace("\0", " ")
                found.append((int(entry.name), command))
        except OSError:
            continue
    return [(pid, command) for pid, command in found if command]


def fork_servers(folder: Path) -> list[int]:
    """Pids of fork servers that carry the mark."""
    return [pid for pid, command in marked(folder) if warm_starts.SERVER in command]


def wait_for(what: Callable[[], object], timeout_s: float = 120.0) -> None:
    """Wait until `what()` is true."""
    end = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def rounds(folder: Path) -> list[int]:
    """Rounds that each trial's journal has by now."""
    journals = (folder / "runs/train").glob("*/metrics.jsonl")
    return [path.read_bytes().count(b"\n") for path in journals]
