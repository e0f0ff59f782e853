"""Launches that ran out of memory: detected also where the kernel ended them, and retried with
less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.errors import FailureClass
from zoo.launching.task import Task
from zoo.resources import place
from zoo.resources.memory_advice import smaller
from zoo.store.failures import ENGINE_MEMORY

HALVINGS = 2
"""How often a trial is tried with half the micro-batch."""
VMSTAT = Path("/proc/vmstat")


def kernel_kills(path: Path = VMSTAT) -> int:
    """Processes of this machine that the kernel has ended for want of memory, containers and jobs
    with a limit included; 0 where it does not say (Linux since 4.13 does)."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def with_less(task: Task, failure_class: str | None, message: str) -> Task | None:
    """The task with half the micro-batch, where its launch ran out of memory and that may help;
    else None. `message`: of the failure."""
    if failure_class != FailureClass.OOM or len(task.out_of_memory) == HALVINGS:
        return None
    if ENGINE_MEMORY.search(message):
        return None  # vLLM did not start: its share of the card is wrong, not the micro-batch
    if task.trained and task.profile.engine == "vllm":
        return None  # only evaluations are left, which no micro-batch bears on
    profile = smaller(task.trial, task.profile, task.longest_prompt)
    if profile is None:
        return None
    micro = place(task.trial, task.profile, prompt=task.longest_prompt).micro_batch
    return replace(task, profile=profile, out_of_memory=(*task.out_of_memory, micro))


def less_text(task: Task) -> str:
    """The smaller settings of the retry."""
    placed = place(task.trial, task.profile, prompt=task.longest_prompt)
    each = f", {placed.generation_batch} generated at a time" if placed.generation_batch else ""
    return f"tried again with a micro-batch of {placed.micro_batch}{each}"
