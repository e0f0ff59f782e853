"""Launches that ended without a word: their machine was lost, or something killed all of them."""

from __future__ import annotations

import time
from dataclasses import replace

from zoo.launching.launch import LaunchResult, record_end
from zoo.launching.task import Task
from zoo.runs import live
from zoo.store import record


def record_lost(task: Task, ended: LaunchResult) -> None:
    """Write the record of a trial's last launch, which left none. Does nothing where there is one,
    where the trial never began, or where somebody works on it."""
    latest = live.latest_launch(task.folder)
    token = latest.get("token")
    if not token:
        return
    found = record.read(task.folder)
    if found is None or found.about.get("token") != token:
        record_end(replace(task, token=token), ended, time.time())
