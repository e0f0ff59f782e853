"""An engine over two processes (vLLM's tensor parallelism) answers as one of a single process: in a
trial, whose processes start as torchrun's do, and over stored weights, with workers of its own.

The plan gives tensor parallelism to GPUs only, so each process of the trial here is told otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.stored_engine import responses
from tests.support.trials import manifest, trials_of, write_job
from zoo.catalog import Catalog, ComputeProfile
from zoo.launching.ranks import free_port
from zoo.store import journal, record
from zoo.store.parquet import read_parquet
from zoo.store.run_store import Store
from zoo.train.evaluate import EvaluationJob
from zoo.trials.trial import Trial

ROUNDS, LIMIT_S = 2, 240
EVALUATE = "{full: {benchmarks: [pocket-easy], problems: 6, at: [0, last]}}"
WIDE = """
import dataclasses
import zoo.resources.placement as placement
from vllm.distributed.device_communicators.cpu_communicator import CpuCommunicator

told = placement._as_told
placement._as_told = lambda *a, **k: dataclasses.replace(told(*a, **k), tensor_parallel=2)
# its shared memory has one name for all engines of a machine
CpuCommunicator._all_group_ranks_share_shm_group_name = lambda self: False
"""
TRIAL = WIDE + "from zoo.train.entry import main\nmain()\n"
"""A process of a trial."""
EVALUATION = WIDE + "from zoo.train.evaluate import main\nmain()\n"
"""The process that evaluates stored weights, as `zoo eval` starts it."""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("manifest")
    (found,) = trials_of(manifest(folder, rounds=ROUNDS, evaluate=EVALUATE))
    return found


@dataclass(frozen=True)
class Trace:
    """What a trial of `ROUNDS` rounds left."""

    rounds: dict[int, dict[str, Any]]
    greedy: dict[int, list[str]]
    """Round -> responses at temperature 0."""

    @classmethod
    def of(cls, trial: Trial, store: Store) -> Trace:
        folder = store.train(trial.id)
        rows = journal.read(folder / "metrics.jsonl")
        evaluations = journal.read(folder / "evals.jsonl")
        return cls(
            {row["round"]: row["metrics"] for row in rows},
            {
                row["round"]: read_parquet(store.completions(row["samples"]), ["text"])["text"]
                for row in evaluations
                if row["decoding"] == "t0"
            },
        )


def ranks(command: list[str], env: dict[str, str], log: Path, world: int) -> list[int]:
    """Run processes as torchrun would; returns their exit statuses."""
    port, own = str(free_port()), log.with_suffix
    started = []
    for rank in map(str, range(world)):
        here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": str(world)}
        here |= {"LOCAL_WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        with own(f".{rank}").open("wb") as stream:
            process = subprocess.Popen(command, env=env | here, stdout=stream, stderr=stream)
        started.append(process)
    try:
        return [process.wait(LIMIT_S) for process in started]
    finally:
        for process in started:
            process.kill()
            process.wait()


def trained(trial: Trial, store: Store, world: int) -> Trace:
    profile = Catalog().get(ComputeProfile, "laptop")
    profile = profile.model_copy(update={"processes_per_trial": world, "micro_batch": 4})
    path = write_job(trial, store, profile)
    code = TRIAL if world > 1 else "from zoo.train.entry import main; main()"
    env = os.environ | profile.env | {"ACCELERATE_USE_CPU": "true"}
    log = path.with_name("log")
    statuses = ranks([sys.executable, "-c", code, str(path)], env, log, world)
    assert statuses == [0] * world, log.with_suffix(".0").read_text(errors="replace")[-3000:]
    found = record.read(store.train(trial.id))
    assert found is not None
    assert found.done(ROUNDS)
    return Trace.of(trial, store)


@pytest.fixture(scope="module")
def wide_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("wide"))


@pytest.fixture(scope="module")
def wide(trial: Trial, wide_store: Store) -> Trace:
    return trained(trial, wide_store, 2)


def test_trial_with_one_engine_over_two_processes_samples_as_one_process(
    trial: Trial, wide: Trace, tmp_path: Path
) -> None:
    alone = trained(trial, Store(tmp_path), 1)
    assert wide.greedy[0] == alone.greedy[0]
    assert len(set(alone.greedy[0])) > 1
    assert sorted(wide.greedy) == [0, ROUNDS]
    gap = "train/sampling/sampling_logp_difference/mean"
    for round_ in range(1, ROUNDS + 1):  # the engine has the trainer's weights, also after updates
        assert wide.rounds[round_][gap] < 1e-4


def test_stored_weights_are_evaluated_by_two_workers_as_by_the_engine_of_the_trial(
    trial: Trial, wide: Trace, wide_store: Store, tmp_path: Path
) -> None:
    weights = wide_store.checkpoint(trial.id, ROUNDS, record.branch(1))
    store, profile = Store(tmp_path / "runs"), Catalog().get(ComputeProfile, "laptop")
    job = EvaluationJob(store, profile, (trial,), ROUNDS, weights)
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job.as_json()), encoding="utf-8")
    env = os.environ | profile.env | {"VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    reads, writes = os.pipe()  # it ends its group when its launcher's end closes
    try:
        done = subprocess.run(
            [sys.executable, "-c", EVALUATION, str(path)],
            env=env,
            stdin=reads,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            start_new_session=True,
        )
    finally:
        os.close(reads)
        os.close(writes)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert "world_size=2" in done.stderr  # vLLM names its workers
    found = [json.loads(line)["done"] for line in done.stdout.splitlines() if '"done"' in line]
    greedy = next(i for i, e in enumerate(trial.evaluations) if e.decoding_name == "t0")
    (samples,) = [one["samples"] for one in found if one["evaluation"] == greedy]
    texts = read_parquet(store.completions(samples), ["text"])["text"]
    assert texts == wide.greedy[ROUNDS]


def test_engine_with_workers_of_its_own_answers_as_one_in_this_process(tmp_path: Path) -> None:
    env = os.environ | Catalog().get(ComputeProfile, "laptop").env
    env["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"  # one memory node for two workers
    one, two = (responses(tmp_path, width, env) for width in (1, 2))
    assert two[0] == one[0]
    assert two[1] == two[2] != two[3]
    assert two[1] == one[1]
