"""One sweep with a trial in every state."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.made_up_sweep import Sweep, make_sweep, write_trial


@pytest.fixture
def mixed(tmp_path: Path) -> Sweep:
    """Four trials: done, failed at round 2, cut off at round 1, not run."""
    models = ("pocket-qwen2", "pocket-llama")
    data = ("pocket-easy", "pocket-hard")
    sweep = make_sweep(
        tmp_path, models=models, rewards=("correctness",), data=data, rounds=4, problems=20
    )
    done, failed, cut, _ = sweep.trials
    write_trial(sweep, done)
    failure = {"state": "failed", "failure_class": "oom", "message": "RuntimeError: out of memory"}
    write_trial(sweep, failed, stop_after=2, **failure)
    write_trial(sweep, cut, stop_after=1, state=None)
    return sweep
