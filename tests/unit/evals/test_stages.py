"""Stages of an evaluation with several responses a problem, and of checkpoints from elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import simulated, study_cards
from zoo.data import Problem
from zoo.evals.stages import Evaluator, Generation, Sampler, sample_identity
from zoo.launching.task import write_task
from zoo.manifest.schema import Decoding
from zoo.runs.outcome import values_of
from zoo.store import journal, record
from zoo.store.parquet import read_parquet
from zoo.train.entry import run
from zoo.trials.metrics import measure_names

OFTEN = (
    "  often: {benchmarks: [pocket-easy], problems: 8, samples: 4, at: [last], decodings: [t1.0]}"
)


@pytest.fixture
def often(tmp_path: Path) -> simulated.Sweep:
    """One trial that ran, measured once and four times a problem at its end."""
    sweep = simulated.make(
        tmp_path, models="pocket-qwen2", rewards="correctness", more=OFTEN + "\n"
    )
    (task,) = sweep.tasks()
    assert run(write_task(task)) == 0
    return sweep


def rows(sweep: simulated.Sweep) -> list[dict[str, Any]]:
    (trial,) = sweep.trials
    return journal.read(sweep.store.train(trial.id) / "evals.jsonl")


def test_all_that_is_announced_is_measured_and_indexed(often: simulated.Sweep) -> None:
    (row,) = [row for row in rows(often) if row["each"] == 4]
    assert row["n"] == 32
    values = values_of(row)
    assert list(values) == list(measure_names(4))
    unknown = [name for name, value in values.items() if value is None]
    assert unknown == ["audit_disagreement"]  # simulated: not audited
    scores = read_parquet(often.store.verdicts(row["scores"]), ["id"])
    assert scores["id"][:5] == [scores["id"][0]] * 4 + [scores["id"][4]]
    found = record.read(often.store.folder("scores", row["scores"]))
    assert found is not None
    assert found.metrics["pass4"] == values["pass4"]


def test_a_score_of_an_older_run_is_used_as_it_is(often: simulated.Sweep) -> None:
    """Its record lacks what was not measured then; that is unknown, not an error."""
    (trial,) = often.trials
    (row,) = [row for row in rows(often) if row["each"] == 4]
    folder = often.store.folder("scores", row["scores"])
    old = record.read(folder)
    assert old is not None
    kept = {k: v for k, v in old.metrics.items() if not k.startswith(("pass", "avg", "maj"))}
    record.write(folder, old.model_copy(update={"metrics": kept}))
    (often.store.train(trial.id) / "evals.jsonl").unlink()
    (task,) = often.tasks()
    assert run(write_task(task)) == 0
    (again,) = [row for row in rows(often) if row["each"] == 4]
    assert again["scores"] == row["scores"]
    assert values_of(again)["acc"] == old.metrics["acc"]
    assert values_of(again)["pass4"] is None


def _always(text: str) -> Callable[[], Sampler]:
    """A sampler whose every response is `text`."""

    def sampler(
        prompts: list[str], problems: list[Problem], decoding: Decoding, max_tokens: int, seed: int
    ) -> list[Generation]:
        return [Generation(text, [1, 2, 3], "stop") for _ in prompts]

    return lambda: sampler


def test_score_of_fresh_samples_equals_score_of_the_same_samples_read_from_disk(
    often: simulated.Sweep,
) -> None:
    """Also where a response holds what UTF-8 cannot."""
    (trial,) = often.trials
    evaluator = Evaluator(often.store, trial, {"python": "other"}, durable=False)
    evaluation = trial.evaluations[0]
    fresh = evaluator.measure(evaluation, 1, _always("\ud800 so \\boxed{1\ud800}"))
    table = read_parquet(often.store.verdicts(fresh.scores))
    shutil.rmtree(often.store.folder("scores", fresh.scores))
    rule = evaluation.benchmark.extract
    again = evaluator.score(fresh.samples, rule, evaluation.samples, 1)
    evaluator.close()
    assert again == replace(fresh, seed_rule=None)
    assert read_parquet(often.store.verdicts(again.scores)) == table
    assert again.values["mean_length"] == 3
    assert set(table["prediction"]) == {"1?"}


def test_seeds_of_a_checkpoint_from_elsewhere_are_other_samples_over_one_base(
    tmp_path: Path,
) -> None:
    cards = tmp_path / "cards" / "models"
    cards.mkdir(parents=True)
    (cards / "after.yaml").write_text(
        "schema: model/1\nname: after\nrepo: org/after\nprompt: plain\ncap: 64\nbase: qwen\n"
    )
    said = {"trainer": "external", "grid": {"model": ["after"]}, "seeds": [0, 1]}
    _, (one, two) = study_cards.manifest(tmp_path, **said)
    for evaluation in one.evaluations:
        ids = [[sample_identity(t, evaluation, at, {})[0] for t in (one, two)] for at in (0, 10)]
        assert len(set(ids[0])) == 1
        assert len(set(ids[1])) == 2
