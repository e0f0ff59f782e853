"""`zoo doctor --try`: a short study of a pocket model on this machine, through the same `zoo sweep`
that studies run through, and its findings about the machine.

One trial a GPU, or one on a CPU. Every trial is killed after a checkpoint (`ZOO_FAULT`), and the
sweep continues it. All files are in a scratch folder with its own run store. It also
tests the GPU path on a machine with a GPU.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click

from zoo.catalog import ComputeProfile, Gpu
from zoo.doctor.doctor import MEMORY_GIB, DoctorFinding
from zoo.doctor.peak_memory import PeakMemory, read_gpus
from zoo.errors import Fault, InputError
from zoo.orchestrate.progress import clock, first_line
from zoo.planning.machine import profile_of, visible_gpus
from zoo.planning.study import catalog_of
from zoo.resources import place
from zoo.runs import live, throughput
from zoo.runs.checkpoints import FAULT_VARIABLE
from zoo.store import record as records
from zoo.store.record import Record
from zoo.store.run_store import Store, read_json
from zoo.trials.trial import Trial

NAME, MODEL = "doctor-try", "pocket-llama"
ROUNDS, KILLED_AT = 4, 2
GAP = "train/sampling/sampling_logp_difference/mean"
GAPS = {"cpu": 0.1, "cuda": 0.2}
"""Most nats a token between engine and trainer; an engine with other weights differs by 0.8 and
more, and 16-bit engines by some hundredths."""
LOG_LINES = 15
TIMED = re.compile(r"^\d\d:\d\d:\d\d ")
KEEP = "`zoo doctor --try --keep DIR` keeps the logs"
MANIFEST = """schema: experiment/1
name: {name}
question: Does this machine train, evaluate and continue?
recipe: pocket
grid: {{model: {model}, reward: correctness, data: pocket-easy}}
seeds: {seeds}
batch: {{prompts: 8, num_generations: 8, updates: 2}}
rounds: {rounds}
grpo: {{bf16: {bf16}}}
evaluate:
  full: {{benchmarks: [pocket-easy], problems: 32, at: [0, last]}}
"""


Found = tuple[Trial | None, Record | None]
"""A trial that began (None = its process died before), and its record."""


@dataclass
class Tried:
    """The result of a try."""

    profile: ComputeProfile
    trials: int
    """How many were started."""
    folder: Path
    status: int = 0
    """Of the last sweep."""
    seconds: float = 0.0
    found: dict[str, Found] = field(default_factory=dict)
    """By the names of their folders; trials that were started."""
    resident: dict[str, float] = field(default_factory=dict)
    gpus: dict[str, float] = field(default_factory=dict)
    cards: dict[str, tuple[str, float, float]] = field(default_factory=dict)
    """GPU -> name, GiB in use, GiB in all."""

    @property
    def store(self) -> Store:
        """Its run store."""
        return Store(self.folder / "runs")


def run(name: str | None, keep: str | None, as_json: bool) -> int:
    """Try a profile (None = the one that fits this machine); returns 0 where all checks pass, 1
    where one fails, 2 where the profile cannot run here.

    Raises:
        InputError: no such profile; the folder to keep is not empty.
    """
    profile = profile_of(catalog_of(()), name, None)
    gpus = visible_gpus(profile) if profile.gpus_per_trial else []
    with _scratch(keep) as folder:
        tried = Tried(profile, _trials(profile, len(gpus)), folder)
        begun = time.monotonic()
        _try(tried, gpus)
        tried.seconds = time.monotonic() - begun
        if tried.status in (2, 130, 143):
            return tried.status
        findings = list(judge(tried))
    print(json.dumps(as_data(tried, findings), indent=1) if as_json else as_text(tried, findings))
    return int(any(finding.level == "fail" for finding in findings))


def as_data(tried: Tried, findings: Sequence[DoctorFinding]) -> dict[str, Any]:
    """The JSON form: `{ok, profile, device, engine, trials, seconds, findings: [...]}`."""
    return {
        "ok": all(finding.level != "fail" for finding in findings),
        "profile": tried.profile.name,
        "device": tried.profile.device,
        "engine": tried.profile.engine,
        "trials": tried.trials,
        "seconds": round(tried.seconds, 1),
        "findings": [asdict(finding) for finding in findings],
    }


def as_text(tried: Tried, findings: Sequence[DoctorFinding]) -> str:
    """The form for people."""
    fails = sum(finding.level == "fail" for finding in findings)
    warns = sum(finding.level == "warn" for finding in findings)
    what = f"{tried.trials} trial{'s'[: tried.trials != 1]} of {MODEL}, {ROUNDS} rounds"
    verdict = "this machine does not train yet" if fails else "this machine trains"
    return "\n".join(
        [
            f"\ntried '{tried.profile.name}': {what}  ({clock(tried.seconds)})",
            *("  " + str(finding).replace("\n", "\n  ") for finding in findings),
            f"{verdict} ({fails} to fix, {warns} to note)",
        ]
    )


# -- running ---------------------------------------------------------------------------------------


@contextmanager
def _scratch(keep: str | None) -> Iterator[Path]:
    """A folder for a run store and a manifest, removed at the end unless `--keep` is set."""
    if keep is not None:
        folder = Path(keep).resolve()
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(Fault(f"--keep {keep}", "is there", "a new or an empty folder"))
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="zoo-try-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _trials(profile: ComputeProfile, gpus: int) -> int:
    """One trial a GPU that the profile uses, one where it uses none."""
    there = gpus if profile.gpus is None else min(gpus, profile.gpus)
    return max(1, there // max(1, math.ceil(profile.gpus_per_trial)))


def _try(tried: Tried, gpus: Sequence[str]) -> None:
    """Train; every trial is killed once and goes on."""
    runs = tried.folder / "runs"
    text = MANIFEST.format(
        name=NAME,
        model=MODEL,
        seeds=list(range(tried.trials)),
        rounds=ROUNDS,
        bf16=str(tried.profile.device == "cuda").lower(),
    )
    (tried.folder / f"{NAME}.yaml").write_text(text, encoding="utf-8")
    tried.cards = read_gpus(gpus) if gpus else {}
    with PeakMemory(runs, gpus) as peak:
        _say(
            f"trains; every trial is killed (SIGKILL) after its checkpoint of round {KILLED_AT}, "
            "and goes on"
        )
        tried.status = _sweep(tried)
    tried.found = _read(tried.store)
    tried.resident, tried.gpus = peak.resident, peak.gpus


def _sweep(tried: Tried) -> int:
    """Run `zoo sweep` and print its progress on standard error; returns its exit status."""
    env = {FAULT_VARIABLE: f"synced@{KILLED_AT}"}
    own = {"ZOO_RUNS": str(tried.folder / "runs"), "ZOO_SWEEPS": str(tried.folder / "sweeps")}
    base = {k: v for k, v in os.environ.items() if not k.startswith(("ZOO_", "MLFLOW_"))}
    words = [str(tried.folder / f"{NAME}.yaml"), "--on", tried.profile.name, "--bare"]
    words += ["--save-every", "1", "--concurrency", str(tried.trials)]
    child = subprocess.Popen(
        [sys.executable, "-m", "zoo.cli.main", "sweep", *words],
        env=base | own | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    said: list[str] = []
    assert child.stdout is not None
    try:
        for line in child.stdout:
            said.append(line.rstrip("\n"))
            if TIMED.match(line):
                meant = "FAILED [killed]" in line
                text = f"{line.split()[1]}  killed, as meant" if meant else said[-1][9:].strip()
                _say(text)
        status = child.wait()
    finally:
        if child.poll() is None:  # Ctrl-C reached it as well, and it ends its trials
            child.wait()
    with (tried.folder / "try.log").open("a", encoding="utf-8") as log:
        log.write("\n".join(said) + "\n")
    if status not in (0, 1, 130, 143):
        click.echo("\n".join(said), err=True)
    return status


def _say(text: str) -> None:
    """Progress, with the time of day."""
    click.echo(f"{time.strftime('%H:%M:%S')}  {text}", err=True)


def _read(store: Store) -> dict[str, Found]:
    """The trials of a store, and their records."""
    found: dict[str, Found] = {}
    for folder in sorted((store.root / "train").glob("*")):
        told = read_json(folder / "trial.json")
        trial = None if told is None else Trial.model_validate(told["trial"])
        found[folder.name] = trial, records.read(folder)
    return found


# -- judging ---------------------------------------------------------------------------------------


def judge(tried: Tried) -> Iterator[DoctorFinding]:
    """The results of the try, in order of time."""
    done = {
        name: record
        for name, (_, record) in tried.found.items()
        if record is not None and record.done(ROUNDS)
    }
    yield from _training(tried, len(done))
    yield from _killed(list(done.values()))
    rows = {name: live.read(tried.store.train(name), one) for name, one in done.items()}
    yield from _gap(tried, rows)
    yield from _memory(tried)
    if rows:
        least = min(len(found.evals) for found in rows.values())
        yield DoctorFinding("ok", "evaluations", f"{least} a trial, of base and trained model")
        yield from _speed(tried)


def _training(tried: Tried, done: int) -> Iterator[DoctorFinding]:
    """Whether all trials finished, and the reason of each that did not."""
    if done == tried.trials:
        yield DoctorFinding("ok", "training", f"{done} of {tried.trials} done")
        return
    for name, (_, record) in tried.found.items():
        if record is None or not record.done(ROUNDS):
            class_ = record.failure_class if record else None
            message = record.message if record else "no record"
            yield DoctorFinding(
                "fail",
                "training",
                f"{name}: failed [{class_ or 'error'}] {first_line(message, class_)}",
                _remedy(tried.profile, class_),
            )
            log = tried.store.train(name) / "log.txt"
            if log.is_file():
                text = log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n")
                click.echo("\n".join(text.splitlines()[-LOG_LINES:]), err=True)
    if len(tried.found) < tried.trials:
        found = f"{tried.trials - len(tried.found)} of {tried.trials} did not start"
        yield DoctorFinding("fail", "training", found, KEEP)


def _remedy(profile: ComputeProfile, class_: str | None) -> str:
    """What to do about a trial that failed."""
    if class_ == "oom" and profile.engine == "vllm":
        return "a profile of your own with less `vllm_gpu_memory_utilization` or `micro_batch`"
    if class_ == "oom":
        return "a profile of your own with less `generation_batch` or `micro_batch`"
    without = "; `engine: transformers` in a profile does without vLLM"
    return f"`zoo doctor` checks versions; {KEEP}{without * (profile.engine == 'vllm')}"


def _killed(done: Sequence[Record]) -> Iterator[DoctorFinding]:
    """Whether every trial that is done was killed, and continued from its checkpoint."""
    if not done:
        return
    after = [record.about.get("resumed_from") for record in done]
    if after == [KILLED_AT] * len(done):
        found = f"killed after round {KILLED_AT}, continued there"
        yield DoctorFinding("ok", "kill and resume", found)
    else:
        told = dict.fromkeys(_continued(record) for record in done)
        found = f"to be killed after round {KILLED_AT}; {', '.join(told)}"
        yield DoctorFinding("fail", "kill and resume", found, KEEP)


def _continued(record: Record) -> str:
    """Where a trial went on after it was killed."""
    if record.attempt == 1:
        return "was never killed"
    return f"continued after round {record.about.get('resumed_from', 0)}"


def _gap(tried: Tried, rows: dict[str, Any]) -> Iterator[DoctorFinding]:
    """How far engine and trainer lie apart."""
    what, limit = "engine and trainer", GAPS[tried.profile.device]
    if tried.profile.engine != "vllm":
        yield DoctorFinding("ok", what, "one: transformers generates with the trainer's weights")
        return
    gaps = [
        row["metrics"].get(GAP)
        for found in rows.values()
        for round_, row in found.rounds.items()
        if round_
    ]
    known = [gap for gap in gaps if gap is not None]
    if not rows:
        return
    if len(known) < len(gaps) or not known:
        found = f"{len(gaps) - len(known)} of {len(gaps)} rounds have no {GAP} that is a number"
        yield DoctorFinding("fail", what, found, _remedy(tried.profile, None))
    elif max(known) > limit:
        found = f"{max(known):.4f} nats a token apart (limit {limit:g})"
        do = "vLLM computes something else here: compare versions with `zoo doctor`, or take "
        do += "`engine: transformers`; nothing that is trained like this means anything"
        yield DoctorFinding("fail", what, found, do)
    else:
        found = f"{max(known):.4f} nats a token apart at most (limit {limit:g})"
        yield DoctorFinding("ok", what, found)


def _memory(tried: Tried) -> Iterator[DoctorFinding]:
    """The peak memory, compared with the estimate of `zoo.resources`."""
    if tried.resident:
        most, name = max(tried.resident.values()), "memory"
        found = f"{most:.1f} GiB a trial at most"
        if tried.profile.device == "cpu" and most > MEMORY_GIB:
            found += f"; {MEMORY_GIB:.0f} are counted for a pocket trial"
            yield DoctorFinding("warn", name, found, "fewer trials at once (`--concurrency`)")
        else:
            count = f" ({MEMORY_GIB:.0f} are counted)" * (tried.profile.device == "cpu")
            yield DoctorFinding("ok", name, found + count)
    for key, gib in sorted(tried.gpus.items()):
        kind, _, total = tried.cards[key]
        estimate = _estimate(tried, kind, total)
        found = f"{gib:.1f} GiB at most of {total:.0f} ({kind})"
        if estimate is None:
            yield DoctorFinding("ok", f"GPU {key}", found)
        elif gib <= 0.5 and tried.profile.device == "cuda":
            do = "trials did not run on it: see CUDA_VISIBLE_DEVICES, and the profile's `env`"
            yield DoctorFinding("fail", f"GPU {key}", found, do)
        elif gib > estimate + 0.1 * total:  # what the estimate leaves free for its own error
            do = "the memory model is too low here, so plans are: less `micro_batch`, or state a "
            do += "smaller `gpu.memory_gib`"
            yield DoctorFinding("fail", f"GPU {key}", f"{found}; estimated: {estimate:.1f}", do)
        else:
            yield DoctorFinding("ok", f"GPU {key}", f"{found}; estimated: {estimate:.1f}")


def _estimate(tried: Tried, kind: str, total: float) -> float | None:
    """Peak GiB of one trial on this kind of GPU, by the memory model."""
    profile, trials = tried.profile, [trial for trial, _ in tried.found.values() if trial]
    if not trials:
        return None
    if profile.gpu is None:
        profile = profile.model_copy(update={"gpu": Gpu(name=kind, memory_gib=total)})
    memory = place(trials[0], profile).memory
    return memory.peak if memory else None


def _speed(tried: Tried) -> Iterator[DoctorFinding]:
    """Response tokens a second, which is weak evidence about large models."""
    rates = throughput.measured(tried.store, [MODEL], tried.profile.name)
    if seconds := sum(rate.seconds for rate in rates):
        each = sum(rate.tokens for rate in rates) / seconds
        yield DoctorFinding("ok", "speed", f"{each:,.0f} response tokens a second and trial")
