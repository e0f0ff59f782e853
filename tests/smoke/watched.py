"""A trial's process that also says what became of the embeddings: `watched TRIAL.json`.

Trains as `python -m zoo.train` does. After the last round's evaluation it compares the embedding,
the output layer and one linear layer that the engine holds with the weights that the trainer kept
and with those that both began from, a slice at a time, and writes `watched.json` beside
`trial.json`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from zoo.data import model_folder
from zoo.train.grpo import train
from zoo.train.job import Job
from zoo.train.session import Session
from zoo.train.session_lifecycle import open_session

NAME, ROWS = "model.embed_tokens.weight", 8192
LINEAR = "model.layers.0.self_attn.o_proj.weight"
"""A layer that the engine keeps by itself, and that LoRA trains."""


def watch(session: Session) -> dict[str, Any]:
    """Compare after the last round; the result is filled in by then."""
    close, found = session.close_round, {}

    def close_round(round_: int, metrics: Any, sampler: Any, keep: Any, save: Any = None) -> Any:
        samplers: list[Any] = []

        def seen() -> Any:
            samplers.append(sampler())
            return samplers[-1]

        ending = close(round_, metrics, seen, keep, save)
        print(f"peak after round {round_}: {peak_bytes() / 2**30:.2f} GiB", flush=True)
        if round_ == session.trial.rounds:
            (engine, *_) = samplers[-1].own.args  # of this process
            found.update(compare(session, engine.llm))
        return ending

    session.close_round = close_round
    return found


def compare(session: Session, llm: Any) -> dict[str, Any]:
    """How far trainer and engine are from the start (largest change of a weight), and from each
    other."""
    engine = llm.llm_engine.model_executor.driver_worker.model_runner.model
    trial = session.trial
    kept = session.job.store.checkpoint(trial.id, trial.rounds, session.branch)
    moved = {"trainer": 0.0, "engine": 0.0}
    apart = {"embedding": 0.0, "output": 0.0}
    files = [folder / "model.safetensors" for folder in (model_folder(trial.model), kept)]
    with safe_open(files[0], "pt") as before, safe_open(files[1], "pt") as after:
        size = before.get_slice(NAME).get_shape()[0]
        for at in range(0, size, ROWS):
            rows = slice(at, min(at + ROWS, size))
            start = before.get_slice(NAME)[rows].float()
            trainer = after.get_slice(NAME)[rows]
            embedding = engine.model.embed_tokens.weight[rows]
            output = engine.lm_head.weight[rows]
            moved["trainer"] = max(moved["trainer"], largest(trainer - start))
            moved["engine"] = max(moved["engine"], largest(embedding - start))
            apart["embedding"] = max(apart["embedding"], largest(embedding - trainer))
            apart["output"] = max(apart["output"], largest(output - trainer))
        linear = engine.model.layers[0].self_attn.o_proj.weight
        trainer, start = (one.get_tensor(LINEAR) for one in (after, before))
        moved["linear"] = largest(linear - start.float())
        apart["linear"] = largest(linear - trainer)
    return {"moved": moved, "apart": apart, "rows": size}


def peak_bytes() -> int:
    """The most memory that this process held; the grader's workers have 0.1 GiB beside it."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def largest(values: torch.Tensor) -> float:
    """The largest absolute value."""
    return float(values.detach().abs().max())


def main() -> None:
    """Train the trial that is named, and write what was seen."""
    path, began = Path(sys.argv[1]), time.monotonic()
    with open_session(Job.read(path)) as session:
        found = watch(session)
        train(session)
        session.write_record("done")
    found |= {"peak_bytes": peak_bytes(), "seconds": time.monotonic() - began}
    (path.parent / "watched.json").write_text(json.dumps(found), encoding="utf-8")
    os._exit(0)  # as zoo.train: the engine leaves threads behind


main()
