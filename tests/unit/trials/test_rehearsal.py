"""A rehearsal replaces weights and problems and nothing else, and never passes for a result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.catalog import Catalog
from zoo.errors import InputError
from zoo.manifest.load import load
from zoo.planning.expand import expand
from zoo.trials import rehearsal
from zoo.trials.trial import Trial

Write = Callable[..., Path]
EXPERIMENTS = Path(__file__).parents[3] / "experiments"
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
    assert differing == {"max_completion_length", "bf16"}  # a CPU emulates bfloat16
    assert small.batch.updates == full.batch.updates


def test_ten_models_on_few_stand_ins_stay_apart(write: Write) -> None:
    trials = rehearsed(study(write))
    assert len({t.id for t in trials}) == 6
    assert all(t.id.startswith(f"rehearsal.{t.cell['model']}.") for t in trials)
    stands_for = trials[0].identity["rehearsal"]
    assert (stands_for["model"], stands_for["data"]) == ("qwen2.5-0.5b", "pocket-hard")
    real = {t.id.rsplit("-", 1)[1] for t in expand(load(study(write)), Catalog())}
    assert not real & {t.id.rsplit("-", 1)[1] for t in trials}


@pytest.mark.parametrize(
    "change",
    [
        {"grid": GRID[:-1] + ", batch.num_generations: [2, 4, 8]}"},
        {"grid": GRID[:-1] + ", grpo.max_completion_length: [512, 1024]}"},
        {"grid": GRID[:-1] + ", grpo.bf16: [true, false]}"},
        {"grid": GRID[:-1] + ", recipe: [simplerl-zoo, simplerl-zoo-small]}"},
        {"overrides": "[{when: {reward: box-strict}, set: {batch.prompts: 512}}]"},
    ],
)
def test_cells_that_differ_only_in_what_is_replaced_stay_apart(
    write: Write, change: dict[str, str]
) -> None:
    trials = rehearsed(write(**{"grid": GRID, "recipe": "simplerl-zoo", "rounds": "100"} | change))
    digests = {(t.cell["data"], t.id.rsplit("-", 1)[1]) for t in trials}
    assert len(digests) == len(trials)


@pytest.mark.parametrize("path", sorted(EXPERIMENTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_trials_of_the_study_that_are_apart_stay_apart_when_rehearsed(path: Path) -> None:
    manifest = load(path)
    full = [t for t in expand(manifest, Catalog()) if t.seed == manifest.experiment.seeds[0]]
    trained = {t.id for t in full if t.trainer != "external"}
    if trained:
        small = expand(rehearsal.of(manifest), Catalog())
        assert len({t.id for t in small}) == len(trained)


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


def test_a_stand_in_that_is_misspelt_is_told_at_its_card(write: Write, tmp_path: Path) -> None:
    own = tmp_path / "cards/models/own.yaml"
    own.parent.mkdir(parents=True)
    form = "schema: model/1\nname: own\npath: w\nprompt: none\ncap: 64\n"
    own.write_text(form + "stand_in: pocket-lama\n")
    path = write(grid="{model: [own, pocket-llama], reward: correctness, data: pocket-easy}")
    with pytest.raises(InputError) as found:
        expand(rehearsal.of(load(path)), Catalog(tmp_path / "cards"))
    (fault,) = found.value.faults
    assert (fault.place, fault.hint) == (f"{own}:6:11", "did you mean 'pocket-llama'?")
