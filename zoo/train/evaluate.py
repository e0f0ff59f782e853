"""Evaluating stored weights outside a trial: one JSON file in, one line of JSON an event out.

The process that `zoo eval` and `zoo audition` start: one vLLM engine over one folder of weights,
started when the first sample is missing. Samples and scores get the ids that a trial's would have;
existing ones are reused. It ends when its launcher ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from zoo.catalog import ComputeProfile
from zoo.errors import ZooError
from zoo.evals.stages import Evaluator, Measurement, Sampler
from zoo.store.run_store import Store
from zoo.store.stack import SIMULATED, stack
from zoo.train.entry import end_with_launcher
from zoo.train.grpo import lazy_engine, stored_sampler
from zoo.train.simulated import sampler_at
from zoo.trials.trial import Trial

Say = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class EvaluationJob:
    """What to evaluate: evaluations of trials that share weights (they may differ in prompt)."""

    store: Store
    profile: ComputeProfile
    trials: tuple[Trial, ...]
    """With the requested evaluations as their own."""
    round: int
    weights: Path | None
    """None = simulated."""
    lineage: int = 1
    longest_prompt: int | None = None

    @classmethod
    def read(cls, path: Path) -> EvaluationJob:
        """Read a job's file."""
        data = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            Store(data["store"]),
            ComputeProfile.model_validate(data["profile"]),
            tuple(Trial.model_validate(trial) for trial in data["trials"]),
            data["round"],
            Path(data["weights"]) if data["weights"] else None,
            data["lineage"],
            data["longest_prompt"],
        )

    def as_json(self) -> dict[str, Any]:
        """The content of a job's file."""
        return {
            "store": str(self.store.root),
            "profile": self.profile.model_dump(mode="json", by_alias=True),
            "trials": [trial.model_dump(mode="json", by_alias=True) for trial in self.trials],
            "round": self.round,
            "weights": str(self.weights) if self.weights else None,
            "lineage": self.lineage,
            "longest_prompt": self.longest_prompt,
        }


def measure(job: EvaluationJob, say: Say) -> list[list[Measurement]]:
    """Run all evaluations; prints `{"begin": ...}` before each and `{"done": ...}` after.
    Returns the results, by trial."""
    found: list[list[Measurement]] = []
    with lazy_engine(lambda: _start(job)) as engine:
        for at, trial in enumerate(job.trials):
            stack_ = SIMULATED if trial.simulated else stack(job.profile.engine)
            bench = Evaluator(job.store, trial, stack_, durable=not trial.simulated)
            bench.lineage = job.lineage
            own: list[Measurement] = []
            sampler = partial(sampler_at, trial, job.round) if trial.simulated else engine
            try:
                for index, evaluation in enumerate(trial.evaluations):
                    place = {"trial": at, "evaluation": index}
                    say({"begin": place})
                    one = bench.measure(evaluation, job.round, sampler)
                    own.append(one)
                    say({"done": place | {"samples": one.samples, "scores": one.scores}})
            finally:
                bench.close()
            found.append(own)
    return found


def _start(job: EvaluationJob) -> Sampler:
    # the engine must hold the longest response of all; they share the model
    trial = job.trials[0].model_copy(
        update={"evaluations": tuple(e for t in job.trials for e in t.evaluations)}
    )
    assert job.weights is not None
    return stored_sampler(trial, job.profile, job.weights, job.store.root, job.longest_prompt)


def main() -> None:
    """Entry point of the process: events go to standard output, everything else to the log."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m zoo.train.evaluate JOB.json")
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # engines print

    def say(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    threading.Thread(target=end_with_launcher, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the launcher's business
    status = 0
    try:
        measure(EvaluationJob.read(Path(sys.argv[1])), say)
    except Exception as error:
        traceback.print_exc()
        text = str(error) if isinstance(error, ZooError) else f"{type(error).__name__}: {error}"
        say({"error": text[:4000]})
        status = 1
    events.flush()
    sys.stderr.flush()
    os._exit(status)  # engines leave threads behind that may hang a normal exit


if __name__ == "__main__":
    main()
