"""Short names of trials: unique, the same everywhere, and with what tells two trials apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import zoo
from tests.support.study_models import trial
from zoo.trials.short_names import short_names
from zoo.trials.trial import Trial


def cells(*extra: dict[str, object], seeds: tuple[int, ...] = (0,)) -> list[Trial]:
    """Trials of one model, reward and data that differ by what is extra."""
    found = []
    for more in extra:
        for seed in seeds:
            made = trial("qwen2.5-7b", seed=seed)
            made = made.model_copy(update={"cell": made.cell | more})
            found.append(made.model_copy(update={"id": f"{made.id}-{len(found):010x}"}))
    return found


def test_a_name_is_the_id_without_hash_and_without_the_seed_that_all_share() -> None:
    (name,) = short_names(cells({})).values()
    assert name == "qwen2.5-7b.correctness.simplerl-hard"
    names = list(short_names(cells({}, seeds=(0, 1))).values())
    assert names == [f"qwen2.5-7b.correctness.simplerl-hard.s{seed}" for seed in (0, 1)]


def test_names_that_would_clash_show_every_axis_that_varies() -> None:
    sizes = ({"batch.num_generations": n, "prompt": "boxed"} for n in (4, 8))
    names = list(short_names(cells(*sizes)).values())
    assert names == [
        "qwen2.5-7b.correctness.simplerl-hard batch.num_generations=4",
        "qwen2.5-7b.correctness.simplerl-hard batch.num_generations=8",
    ]
    both = ({"grpo.beta": beta, "prompt": prompt} for beta in (0.0, 1e-3) for prompt in "ab")
    names = list(short_names(cells(*both)).values())
    assert names[1].endswith(" grpo.beta=0 prompt=b") or names[1].endswith(
        " grpo.beta=0.0 prompt=b"
    )
    assert len(set(names)) == 4


def test_trials_that_no_axis_tells_apart_are_called_by_their_ids() -> None:
    trials = cells({}, {})
    assert short_names(trials) == {t.id: t.id for t in trials}


def test_a_trial_has_one_name_in_plan_status_logs_and_progress(folder: Path) -> None:
    words = (
        "tiny",
        "--set",
        "grid.batch.num_generations=[4, 8]",
        "--set",
        "grid.model=pocket-llama",
    )
    name = "pocket-llama.box-strict.pocket-easy batch.num_generations=8"
    swept = zoo("sweep", *words, "--bare")
    assert f"  {name}  done in " in swept.text
    assert f"= {name} " in zoo("plan", *words, "--all").text
    status = zoo("status", "tiny")
    assert f"= {name} " in status.text
    assert f"= {name} " in zoo("status", "tiny", "--only", "reward=box-strict").text
    assert zoo("plan", *words, "--explain", name).lines[1] == f"name: {name}"
    assert zoo("plan", *words, "--explain", "box-strict batch.num_generations=8").status == 0
    assert "names more than one trial" in zoo("plan", *words, "--explain", "box-strict").error


@pytest.mark.parametrize("word", ["batch.num_generations=8", "box-strict batch.num_generations=9"])
def test_a_word_that_fits_several_names_or_none_is_refused(folder: Path, word: str) -> None:
    words = ("tiny", "--set", "grid.batch.num_generations=[4, 8]")
    assert zoo("plan", *words, "--explain", word).status == 2
