"""What a session does around evaluations, whoever trains."""

from __future__ import annotations

from pathlib import Path

from tests.support import simulated
from zoo.data import Problem
from zoo.evals.stages import Generation, Sampler
from zoo.launching.task import write_task
from zoo.manifest.schema import Decoding
from zoo.store import journal
from zoo.train.job import Job
from zoo.train.session_lifecycle import open_session


def test_the_engine_gets_the_weights_once_a_round_and_only_if_something_is_missing(
    tmp_path: Path,
) -> None:
    made: list[str] = []

    def sample(
        prompts: list[str], problems: list[Problem], decoding: Decoding, cap: int, seed: int
    ) -> list[Generation]:
        return [Generation(problem.answer, [1], "stop") for problem in problems]

    def sampler() -> Sampler:
        made.append("sampler")
        return sample

    (task, *_) = simulated.make(tmp_path, models="pocket-qwen2").tasks()
    with open_session(Job.read(write_task(task))) as session:
        session.begin()
        session.evaluate(0, sampler)
        assert made == ["sampler"]
        first = journal.read(session.folder / "evals.jsonl")
        assert len(first) == 2  # two decodings
        session.evaluate(0, sampler)
        assert made == ["sampler"]
        assert journal.read(session.folder / "evals.jsonl") == first + first
