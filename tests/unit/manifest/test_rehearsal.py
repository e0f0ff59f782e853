"""A rehearsal replaces weights and problems and nothing else, and never passes for a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.catalog import Catalog
from zoo.manifest import Trial, expand, load, rehearsal

Write = Callable[..., Path]
GRID = (
    "{model: [qwen2.5-0.5b, qwen2.5-7b, mistral-7b], reward: [correctness, box-strict], "
    "data: pocket-hard}"
)
EVALUATE = (
    "{watch: {benchmarks: [math500], every: 1, problems: 200}, "
    "full: {benchmarks: [gsm8k, aime24], at: [0, 3, last]}}"
)


def rehearsed(path: Path) -> list[Trial]:
    """The trials of a manifest's rehearsal."""
    return expand(rehearsal.of(load(path)), Catalog())


def study(write: Write) -> Path:
    """A manifest of the study's models."""
    return write(grid=GRID, recipe="simplerl-zoo", rounds="100", seeds="[3, 4]", evaluate=EVALUATE)


def test_every_cell_is_rehearsed_once_in_two_small_rounds(write: Write) -> None:
    trials = rehearsed(study(write))
    assert len(trials) == 6
    assert {(t.seed, t.rounds, t.batch.completions, t.rehearsal) for t in trials} == {
        (0, 2, 128, True)
    }


def test_only_the_stand_ins_own_things_change(write: Write) -> None:
    (full, *_) = expand(load(study(write)), Catalog())
    (small, *_) = rehearsed(study(write))
    assert (small.model.embedded, small.cap) == ("pocket-qwen2", 64)
    assert (small.prompt, small.reward, small.cell) == (full.prompt, full.reward, full.cell)
    differing = {k for k in full.grpo if full.grpo[k] != small.grpo[k]}
    assert differing == {"max_completion_length"}
    assert small.batch.updates == full.batch.updates


def test_ten_models_on_few_stand_ins_stay_apart(write: Write) -> None:
    trials = rehearsed(study(write))
    assert len({t.id for t in trials}) == 6
    assert all(t.id.startswith(f"rehearsal.{t.cell['model']}.") for t in trials)
    assert trials[0].identity["rehearsal"] == {"model": "qwen2.5-0.5b", "data": "pocket-hard"}
    real = {t.id.rsplit("-", 1)[1] for t in expand(load(study(write)), Catalog())}
    assert not real & {t.id.rsplit("-", 1)[1] for t in trials}


def test_benchmarks_keep_their_names_and_take_few_problems(write: Write) -> None:
    (trial, *_) = rehearsed(study(write))
    found = {(e.benchmark.name, e.decoding_name): e for e in trial.evaluations}
    aime = found["aime24", "t1.0"]
    assert (aime.problems, aime.samples, aime.rounds) == (32, 1, (0, 2))
    assert aime.benchmark.pocket is not None
    assert found["math500", "t0"].rounds == (0, 1, 2)


def test_a_rehearsal_has_a_name_of_its_own(write: Write) -> None:
    manifest = rehearsal.of(load(study(write)))
    assert (manifest.experiment.name, manifest.rehearse) == ("small.rehearsal", True)
